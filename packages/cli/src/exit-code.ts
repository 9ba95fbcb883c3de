/** What a command tells the script that called it. Documented in docs/cli.md; never renumbered. */
export const EXIT = {
  done: 0,
  /** It failed, was refused, or what was looked at is not in order. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** There is no such run. */
  notFound: 3,
  /** Of several runs some were refused. */
  partly: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
