import { Client } from "@everstep/core";
import { testWorker } from "@everstep/core/testing";
import { expect, test } from "vitest";
import { dailyWith, keepDaily, keepStarting, nightlyWith, startPlanned } from "./cron.ts";

test("two servers, a server that was down and summer time: each planned night is started once", async () => {
  const reports: string[] = [];
  const nightly = nightlyWith(async (day) => void reports.push(day));
  await using worker = await testWorker({ workflows: [nightly] });
  const servers = [worker.client, new Client({ store: worker.store, clock: worker.clock })];
  for (const now of ["2026-03-28T02:00:00Z", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"])
    await Promise.all(servers.map((server) => startPlanned(server, nightly, new Date(now))));
  await worker.idle();
  expect(reports.toSorted()).toEqual([
    "2026-03-26T02:00:00.000Z",
    "2026-03-27T02:00:00.000Z",
    "2026-03-28T02:00:00.000Z",
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T01:00:00.000Z",
  ]);
});

test("what ticks can be stopped", () => {
  const client = {} as Client;
  keepStarting(
    client,
    nightlyWith(async () => {}),
  )();
});

test("a chain of runs: each starts the next one first, a failure ends nothing, and a restart begins no second chain", async () => {
  const reports: string[] = [];
  const daily = dailyWith(async (day) => void reports.push(day));
  await using worker = await testWorker({ workflows: [daily] });
  const now = (): Date => new Date(worker.clock.now());
  await keepDaily(worker.client, daily, now());
  worker.fail("report", { times: 1, error: new TypeError("the reports are not there") });
  await worker.skip("1d");
  await worker.crash();
  await keepDaily(worker.client, daily, now());
  await worker.skip("2d");
  expect(reports).toHaveLength(3);
  expect(new Set(reports).size).toBe(3);
  expect(await worker.client.runs.count({ workflow: "daily", status: "waiting" })).toBe(1);
});
