/** Structured logs: everstep's own lines and those of runs and steps, with the fields that say whose they are. */
import { type DestinationStream, pino } from "pino";
import { expect, test } from "vitest";
import { fromPino, workflow } from "../../src/index.ts";
import { World } from "../support/world.ts";

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** What pino wrote. */
function destination(): DestinationStream & { readonly lines: Line[] } {
  const lines: Line[] = [];
  return { lines, write: (text) => void lines.push(JSON.parse(text) as Line) };
}

test("a pino logger is given run, step and attempt as fields, at its own levels", async () => {
  const world = new World();
  const written = destination();
  const logger = fromPino(pino({ level: "debug" }, written));
  const definition = workflow({ name: "w" }, async (ctx) => {
    ctx.log.info("charging", { cents: 1999 });
    await ctx.step("charge", (step) => {
      step.log.debug("asking the bank");
      if (step.attempt === 1) {
        step.log.warn("busy", { err: new Error("503") });
        throw new Error("busy");
      }
    });
    ctx.log.error("charged");
  });
  const process = await world.worker([definition], { logger });
  await process.execute(definition, undefined, { id: "r" });
  const lines = written.lines.map(({ level, msg, run, step, attempt, cents }) => ({
    level,
    msg,
    run,
    step,
    attempt,
    cents,
  }));
  const ofStep = { run: "r", step: "charge" };
  expect(lines).toMatchObject([
    { level: 30, msg: "charging", run: "r", cents: 1999 },
    { level: 20, msg: "asking the bank", ...ofStep, attempt: 1 },
    { level: 40, msg: "busy", ...ofStep, attempt: 1 },
    { level: 20, msg: "asking the bank", ...ofStep, attempt: 2 },
    { level: 50, msg: "charged", run: "r" },
  ]);
  expect(written.lines[2]).toMatchObject({ err: { type: "Error", message: "503" } });
});

test("everstep's own warnings go there as well, and a line without fields is one", async () => {
  const world = new World();
  const written = destination();
  const logger = fromPino(pino({}, written));
  logger.info("no fields");
  const definition = workflow({ name: "w" }, () => {
    throw new TypeError("no such function");
  });
  const process = await world.worker([definition], { logger });
  await process.start(definition, undefined, { id: "r" });
  await world.pass(1000);
  expect(written.lines).toMatchObject([
    { level: 30, msg: "no fields" },
    { level: 50, run: "r", code: "BUG" },
  ]);
});
