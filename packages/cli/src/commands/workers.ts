import type { Command } from "commander";
import { withExamples } from "../examples.ts";
import type { Frame, Work } from "../frame.ts";
import { ageText } from "../human.ts";

interface WorkersDocument {
  readonly workers: readonly {
    readonly id: number;
    readonly host: string;
    readonly pid: number;
    /** `expired`: its lease is over, and no other worker has taken over its runs yet. */
    readonly status: "live" | "expired";
    readonly leaseUntil: string;
    readonly runs: number;
    readonly workflows: readonly { readonly name: string; readonly version: string }[];
  }[];
}

export function addWorkers(program: Command, frame: Frame): void {
  const command = program
    .command("workers")
    .summary("the workers, what they have and how much they hold")
    .description("Lists the workers that nobody has taken over, with the runs that they own.")
    .action(frame.withStore(workers));
  withExamples(command, [["workers", "who is at work"]]);
}

const workers: Work<unknown> = async ({ store, out }) => {
  const [records, { now }] = await Promise.all([store.workers(), store.list({}, { limit: 1 })]);
  const { table } = await import("../render/table.ts");
  const document: WorkersDocument = {
    workers: records.map(({ id, host, pid, expiresAt, runs, workflows }) => ({
      id,
      host,
      pid,
      runs,
      workflows,
      status: expiresAt > now ? "live" : "expired",
      leaseUntil: new Date(expiresAt).toISOString(),
    })),
  };
  out.show(document, ({ workers: rows }, screen) =>
    rows.length === 0 && screen.isTerminal
      ? "no workers\n"
      : table(
          [
            { title: "WORKER", of: ({ id }) => String(id), align: "right" },
            { title: "HOST", of: ({ host }) => host, flexible: true },
            { title: "PID", of: ({ pid }) => String(pid), align: "right" },
            {
              title: "STATUS",
              of: ({ status }) => status,
              colour: ({ status }) => (status === "live" ? "green" : "red"),
            },
            {
              title: "LEASE",
              of: ({ leaseUntil }) => (screen.isTerminal ? ageText(leaseUntil, screen.now) : leaseUntil),
            },
            { title: "RUNS", of: ({ runs }) => String(runs), align: "right" },
            {
              title: "WORKFLOWS",
              of: ({ workflows }) => workflows.map(({ name, version }) => `${name}@${version}`).join(", "),
              flexible: true,
            },
          ],
          rows,
          screen,
        ),
  );
};
