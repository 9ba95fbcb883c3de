/** The processes of a phase: they start together, may wait for one another, and answer with figures. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PhaseNews, PhaseOrder } from "./phase-process.ts";
import type { Figures } from "./workload.ts";

const PROCESS_MAX_MS = 600_000;

/** The figures of each process: none of one that wished to be killed; a text when one failed. */
export async function figuresOfPhase(
  order: Omit<PhaseOrder, "member">,
  processes: number,
): Promise<Figures[] | string> {
  const crew = new Crew(processes);
  const outcomes = await Promise.all(
    Array.from({ length: processes }, (_, member) => crew.run({ ...order, member })),
  );
  const failure = outcomes.find((outcome) => typeof outcome === "string");
  return failure ?? outcomes.filter((outcome) => typeof outcome !== "string");
}

class Crew {
  readonly #size: number;
  readonly #members: ChildProcess[] = [];
  #waiting: ChildProcess[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  run(order: PhaseOrder): Promise<Figures | string> {
    const program = fileURLToPath(new URL("phase-process.ts", import.meta.url));
    const child = fork(program, [JSON.stringify(order)], {
      execArgv: ["--conditions=@everstep/source", "--expose-gc", "--no-warnings"],
    });
    this.#members.push(child);
    let figures: Figures | undefined;
    child.on("message", (message) => {
      const news = message as PhaseNews;
      if (news.waits === true) this.#wait(child);
      else figures = news.figures ?? {};
      if (news.killMe === true) child.kill("SIGKILL");
    });
    const tooLate = setTimeout(() => child.kill("SIGKILL"), PROCESS_MAX_MS);
    return new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        clearTimeout(tooLate);
        if (figures === undefined) this.#end(); // the others may wait for it
        resolve(figures ?? `its process ended without figures (code ${code}, signal ${signal})`);
      });
    });
  }

  #wait(child: ChildProcess): void {
    this.#waiting.push(child);
    if (this.#waiting.length < this.#size) return;
    for (const waiting of this.#waiting) waiting.send({});
    this.#waiting = [];
  }

  #end(): void {
    for (const member of this.#members) member.kill("SIGKILL");
  }
}
