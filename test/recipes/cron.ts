import { type Client, type Workflow, workflow } from "@everstep/core";
import { Cron } from "croner";

export interface Planned {
  readonly plannedAt: string;
}

export const nightlyWith = (report: (day: string) => Promise<void>): Workflow<Planned, void> =>
  workflow({ name: "nightly", retention: "90d" }, async (ctx, { plannedAt }: Planned) => {
    await ctx.step("report", () => report(plannedAt));
  });

const everyNight = new Cron("0 3 * * *", { timezone: "Europe/Berlin", paused: true });

/** Starts what was planned for the last three nights, but for what has been started: by this server, another one, or an hour ago. */
export async function startPlanned(
  client: Client,
  nightly: Workflow<Planned, void>,
  now = new Date(),
): Promise<void> {
  const after = new Date(now.getTime() + 1_000); // what is planned for this very second counts
  for (const planned of everyNight.previousRuns(3, after)) {
    const plannedAt = planned.toISOString();
    await client.start(nightly, { plannedAt }, { id: `nightly/${plannedAt}` });
  }
}

/** In each server, beside its worker. Answers how to end it. */
export function keepStarting(client: Client, nightly: Workflow<Planned, void>): () => void {
  const logged = (error: unknown): void =>
    console.error("nightly: not started, tried again in a minute", error);
  const tick = new Cron("* * * * *", { protect: true, catch: logged }, () => startPlanned(client, nightly));
  return () => tick.stop();
}

export interface Day {
  readonly at: string;
}

const nextOf = (at: string): string => everyNight.nextRun(new Date(at))?.toISOString() ?? at;

export function dailyWith(report: (day: string) => Promise<void>): Workflow<Day, void> {
  const daily: Workflow<Day, void> = workflow(
    { name: "daily", retention: "90d" },
    async (ctx, { at }: Day) => {
      await ctx.sleepUntil("planned", new Date(at));
      // Before the work, which may fail or take days. In a step: rules of time zones change with the program.
      const next = await ctx.step("next", () => nextOf(at));
      await ctx.start(daily, { at: next }, { name: "tomorrow", id: `daily/${next}` });
      await ctx.step("report", () => report(at));
    },
  );
  return daily;
}

/** At each start of the program: the id is that which the chain itself gives its next run, so there is one chain. */
export async function keepDaily(client: Client, daily: Workflow<Day, void>, now = new Date()): Promise<void> {
  const at = nextOf(now.toISOString());
  await client.start(daily, { at }, { id: `daily/${at}` });
}
