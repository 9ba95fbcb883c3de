import type { Hint } from "@everstep/core";
import { expect, test } from "vitest";
import { end, eventually, Hand, start } from "./hand.ts";
import { openStore } from "./sqlite-bed.ts";

test("S10: who waits for work is not told of what ended, and who waits for ends not of work", async () => {
  const store = openStore();
  const heard: Record<"work" | "ends", string[]> = { work: [], ends: [] };
  for (const interest of ["work", "ends"] as const)
    store.watch(({ runIds = [] }: Hint) => heard[interest].push(...runIds), interest);
  const worker = await Hand.join(store);
  await worker.commit(start("over", { claim: true }));
  await worker.commit(end("over"), start("due"));
  await eventually("both hear", () => heard.work.length > 0 && heard.ends.length > 0);
  expect(heard).toEqual({ work: ["due"], ends: ["over"] });
});
