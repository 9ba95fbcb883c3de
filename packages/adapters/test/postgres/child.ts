/** Another process with a store on the schema, see child-roles.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Place } from "./place.ts";
import { eventually } from "../hand.ts";

export class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  #errors = "";
  #code: number | string | undefined;

  constructor(role: string, { url, schema }: Pick<Place, "url" | "schema">, more: object = {}) {
    const script = fileURLToPath(new URL("./child-roles.ts", import.meta.url));
    const settings = JSON.stringify({ url, schema, ...more });
    this.process = spawn(process.execPath, ["--conditions=@everstep/source", script, role, settings], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    if (this.process.stdout !== null)
      createInterface(this.process.stdout).on("line", (line) => this.#lines.push(line));
    this.process.stderr?.on("data", (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.process.stdin?.on("error", () => {});
    this.process.on("exit", (code, name) => {
      this.#code = code ?? name ?? "gone";
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  /** What followed the word in every line that began with it. */
  said(word: string): readonly string[] {
    return this.#lines
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  }

  /** The rest of the first line that begins with the word. */
  async says(word: string): Promise<string> {
    await eventually(`a child says ${word}`, () => {
      if (this.said(word).length === 0 && this.#code !== undefined)
        throw new Error(`the child ended (${this.#code}) before it said ${word}: ${this.#errors}`);
      return this.said(word).length > 0;
    });
    return this.said(word)[0] ?? "";
  }

  tell(word: string): void {
    this.process.stdin?.write(`${word}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async ends(): Promise<number | string> {
    await eventually("a child ends", () => this.#code !== undefined);
    return this.#code ?? "gone";
  }
}
