import type { Logger } from "../context.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** To the console, warnings and errors to its standard error. */
export const consoleLogger: Logger = {
  debug: (message, fields) => console.debug(message, fields ?? ""),
  info: (message, fields) => console.info(message, fields ?? ""),
  warn: (message, fields) => console.warn(message, fields ?? ""),
  error: (message, fields) => console.error(message, fields ?? ""),
};

/** Adds fields to every line; says nothing while `silent` answers true. A logger that throws fails nobody. */
export function childLogger(
  logger: Logger,
  fields: Readonly<Record<string, unknown>>,
  silent: () => boolean = () => false,
): Logger {
  const levels = LEVELS.map((level) => [
    level,
    (message: string, more?: Readonly<Record<string, unknown>>): void => {
      if (silent()) return;
      try {
        logger[level](message, { ...fields, ...more });
      } catch {
        // A run must not fail because its log can't be written.
      }
    },
  ]);
  return Object.fromEntries(levels) as Record<(typeof LEVELS)[number], Logger["info"]>;
}
