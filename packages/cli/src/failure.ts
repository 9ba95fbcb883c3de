/** Errors as a person and a script are told of them. */
import { EXIT, type ExitCode } from "./exit-code.ts";

/** What is wrong with how the command was called, or with what it was to find. The message says what to do. */
export class CommandError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): CommandError {
  return new CommandError("USAGE", message, EXIT.usage);
}

const EXIT_OF_CODE: Readonly<Record<string, ExitCode>> = {
  INVALID_ARGUMENT: EXIT.usage,
  RUN_NOT_FOUND: EXIT.notFound,
};

export interface Failure {
  readonly exitCode: ExitCode;
  /** The JSON contract of errors. */
  readonly error: { readonly code: string; readonly message: string };
  /** Only of errors that nobody expected: where it came from. */
  readonly stack?: string;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error))
    return { exitCode: EXIT.failed, error: { code: "UNEXPECTED", message: String(error) } };
  const { message } = error;
  if (error instanceof CommandError)
    return { exitCode: error.exitCode, error: { code: error.code, message } };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined) return { exitCode: EXIT_OF_CODE[code] ?? EXIT.failed, error: { code, message } };
  const { stack } = error;
  return {
    exitCode: EXIT.failed,
    error: { code: "UNEXPECTED", message: `${error.name}: ${message}` },
    ...(stack === undefined ? {} : { stack }),
  };
}
