/** Whoever looks at a store through the command line of a test: in a terminal of some width, or through a pipe, at some time. */
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Io } from "../../src/io.ts";
import { run } from "../../src/program.ts";
import { type Answer, type Kind, Operator } from "./operator.ts";

export interface Typing {
  /** Of a terminal; without it the output is a pipe. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Below the onlooker's own directory. */
  readonly directory?: string;
  /** Ctrl-C, from the beginning: a command that goes on for ever looks once. */
  readonly interrupt?: boolean;
  /** Ctrl-C, once the output has this text. */
  readonly interruptAfter?: string;
  /** Told what is said beside the answer. */
  readonly onNote?: (text: string) => void;
}

export class Onlooker extends Operator {
  readonly #now: number;

  constructor(kind: Kind, { now, server }: { readonly now: number; readonly server?: string }) {
    super(kind, server);
    this.#now = now;
  }

  async look(words: readonly string[], typing: Typing = {}): Promise<Answer> {
    const { columns, env = {}, directory = "", interrupt = false, interruptAfter, onNote } = typing;
    const answer = { out: "", err: "" };
    const terminal = columns === undefined ? {} : { isTTY: true, columns };
    const controller = new AbortController();
    const io: Io = {
      stdout: {
        write: (text) => {
          answer.out += text;
          if (interrupt || (interruptAfter !== undefined && answer.out.includes(interruptAfter)))
            controller.abort();
        },
        ...terminal,
      },
      stderr: {
        write: (text) => {
          answer.err += text;
          onNote?.(text);
        },
        ...terminal,
      },
      stdin: Readable.from([]),
      env: { EVERSTEP_STORE: this.url, ...env },
      cwd: join(this.cwd, directory),
      now: () => this.#now,
      interrupted: controller.signal,
    };
    return { code: await run(words, io), ...answer };
  }
}
