// Somebody who does what a page says, literally, beginning in an empty folder.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Action, editFile, TYPING } from "./tutorial-page.ts";
import { seen } from "./tutorial-shown.ts";
import { Terminal } from "./reader-terminal.ts";

const COMMAND_MS = 60_000;
const SHOW_MS = 30_000;
const AGAIN_MS = 100;

export class Reader {
  /** Where the page begins. */
  readonly #folder = mkdtempSync(join(tmpdir(), "everstep-tutorial-"));
  /** Where its project is, once there is one. */
  readonly #project: string;
  readonly #terminals = new Map<string, Terminal>();
  /** What this machine has in place of what the page says. */
  readonly #own: Map<string, string>;
  #lastOutput = "";

  constructor(project: string, own: ReadonlyMap<string, string>) {
    this.#project = join(this.#folder, project);
    this.#own = new Map(own);
  }

  async follow(actions: readonly Action[]): Promise<void> {
    for (const [index, action] of actions.entries()) {
      const next = actions[index + 1];
      try {
        await this.#do(action, next?.is === "shows" ? next : undefined);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`${action.at}: ${message}`, { cause: error });
      }
    }
  }

  async leave(): Promise<void> {
    for (const terminal of this.#terminals.values()) await terminal.close();
    rmSync(this.#folder, { recursive: true, maxRetries: 5 });
  }

  async #do(action: Action, next: (Action & { readonly is: "shows" }) | undefined): Promise<void> {
    const text = this.#withOwn(action.text);
    if (action.is === "run") {
      if (action.how === "stays") await this.#start(action.terminal, text);
      else if (action.how === "again") await this.#runUntil(text, this.#withOwn(next?.text ?? ""));
      else await this.#run(text, action.how === "fails");
    } else if (action.is === "shows") await this.#look(action.terminal, text);
    else if (action.is === "edit") editFile(this.#project, action.path, text);
    else writeFileSync(join(this.#project, action.path), text);
  }

  #withOwn(text: string): string {
    return [...this.#own].reduce((changed, [page, own]) => changed.replaceAll(page, own), text);
  }

  async #terminal(name: string): Promise<Terminal> {
    const known = this.#terminals.get(name);
    if (known !== undefined) return known;
    const terminal = await Terminal.open(name === TYPING ? this.#folder : this.#project);
    this.#terminals.set(name, terminal);
    return terminal;
  }

  async #run(lines: string, fails: boolean): Promise<void> {
    if (/^node /m.test(lines)) this.#typeCheck();
    const terminal = await this.#terminal(TYPING);
    this.#lastOutput = "";
    for (const line of lines.trimEnd().split("\n")) {
      const { status, output } = await terminal.run(`${line}\n`, COMMAND_MS);
      this.#lastOutput += output;
      if ((status !== 0) !== fails) throw new Error(`${line}\nended with ${status}:\n${output}`);
    }
  }

  async #runUntil(lines: string, shown: string): Promise<void> {
    const deadline = Date.now() + SHOW_MS;
    do {
      await this.#run(lines, false);
      if (seen(shown, this.#lastOutput) !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    } while (Date.now() < deadline);
  }

  async #start(name: string, lines: string): Promise<void> {
    this.#typeCheck();
    const terminal = await this.#terminal(name);
    await terminal.interrupt();
    terminal.type(lines);
  }

  async #look(name: string, shown: string): Promise<void> {
    const terminal = await this.#terminal(name);
    const there = (): string => (name === TYPING ? this.#lastOutput : terminal.unseen);
    const found =
      name === TYPING ? seen(shown, there()) : await terminal.until((text) => seen(shown, text), SHOW_MS);
    if (found === undefined || (name === TYPING && found.rest.trim() !== ""))
      throw new Error(`it is said to show\n${shown}\nbut it shows\n${there()}`);
    for (const [page, own] of found.learnt) this.#own.set(page, own);
    if (name !== TYPING) terminal.looked(found.rest);
  }

  /** As the reader's editor does, with what is installed there. */
  #typeCheck(): void {
    const compiler = join(this.#project, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "--pretty", "false"], {
      cwd: this.#project,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stdout);
  }
}
