/** The same with one run at a time in memory, and where nobody is told that something changed. */
import { expect, test } from "vitest";
import { oneIn, programsUpTo, report, Sweeper } from "../support/crash-sweep.ts";
import type { LabOptions } from "../support/crash-lab.ts";

const SETTINGS: Readonly<Record<string, LabOptions>> = {
  "concurrency 1": { concurrency: 1 },
  "no hints": { hints: false },
  "concurrency 1 and no hints": { concurrency: 1, hints: false },
};

test.each(Object.entries(SETTINGS))(
  "a program survives one fault with %s",
  {
    timeout: 120_000,
  },
  async (name, options) => {
    const sweeper = new Sweeper(options);
    for (const program of programsUpTo(2)) await sweeper.singles(program, oneIn(5, program));
    const sweep = sweeper.done();
    console.log(report(name, sweep));
    expect(Object.keys(sweep.met).length).toBe(6);
  },
);
