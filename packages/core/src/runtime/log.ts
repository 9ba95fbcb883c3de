import type { Logger } from "../context.ts";
import type { Codec } from "../engine/values.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** To the console, warnings and errors to its standard error. */
export const consoleLogger: Logger = {
  debug: (message, fields) => console.debug(message, fields ?? ""),
  info: (message, fields) => console.info(message, fields ?? ""),
  warn: (message, fields) => console.warn(message, fields ?? ""),
  error: (message, fields) => console.error(message, fields ?? ""),
};

/** As much of a pino logger as is needed: fields come first. */
export type PinoLike = Readonly<Record<(typeof LEVELS)[number], (fields: object, message: string) => void>>;

/** A logger that writes to one of pino (or of bunyan, which is called alike): run, step and attempt become fields of each line. */
export function fromPino(pino: PinoLike): Logger {
  return {
    debug: (message, fields = {}) => pino.debug(fields, message),
    info: (message, fields = {}) => pino.info(fields, message),
    warn: (message, fields = {}) => pino.warn(fields, message),
    error: (message, fields = {}) => pino.error(fields, message),
  };
}

/** The same logger, but one that throws fails nobody: a run must not fail because its log can't be written. */
export function unfailing(logger: Logger): Logger {
  const levels = LEVELS.map((level) => [
    level,
    (...line: Parameters<Logger["info"]>): void => {
      try {
        logger[level](...line);
      } catch {
        // There is nobody to tell.
      }
    },
  ]);
  return Object.fromEntries(levels) as Record<(typeof LEVELS)[number], Logger["info"]>;
}

/** What a run says, for a log: with a codec that is nobody's business but of those who have the key (I20). */
export function toLog(
  text: string,
  { runId, host }: { readonly runId: string; readonly host: { readonly codec: Codec | undefined } },
): string {
  if (host.codec === undefined) return text;
  return `run ${runId}: what it says is kept from this log, because a codec is set; client.runs.why("${runId}") shows it`;
}

/** Adds fields to every line; says nothing while `silent` answers true. */
export function childLogger(
  logger: Logger,
  fields: Readonly<Record<string, unknown>>,
  silent: () => boolean = () => false,
): Logger {
  const levels = LEVELS.map((level) => [
    level,
    (message: string, more?: Readonly<Record<string, unknown>>): void => {
      if (!silent()) logger[level](message, { ...fields, ...more });
    },
  ]);
  return Object.fromEntries(levels) as Record<(typeof LEVELS)[number], Logger["info"]>;
}
