/** The JSON of commands that tell of this moment: not their values, but every member and its type is pinned. */
import { join } from "node:path";
import { workflow } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { KINDS, Operator } from "./support/operator.ts";

const order = workflow({ name: "order", on: "cart:checked-out" }, async (ctx) => {
  await ctx.step("charge", () => "ch_1");
  await ctx.waitForSignal("approval");
});

/** Of lists the first member's. */
function membersOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(membersOf);
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, membersOf(member)]));
}

describe.each(KINDS)("on %s", (kind) => {
  test("it has the documented members", async () => {
    const operator = new Operator(kind);
    await operator.worker(order);
    await operator.client.emit("cart:checked-out", {}, { id: "7" });
    const waiting = "cart:checked-out/7/order";
    await operator.client.start(order, null, { id: "order-1" });
    await operator.until(waiting, "waiting");
    await operator.client.get("order-1").signal("approval", null);
    await operator.until("order-1", "completed");
    const members: Record<string, unknown> = {};
    for (const words of [["stats"], ["workers"], ["events"], ["doctor"], ["list"], ["show", waiting]])
      members[words.join(" ")] = membersOf(await operator.json(words));
    const { out } = await operator.type(["tail", "order-1", "--json"]);
    const lines = out.trim().split("\n");
    for (const line of [lines.at(0), lines.at(-1)]) {
      const document = JSON.parse(line ?? "") as { readonly type: string };
      members[`tail: ${document.type}`] = membersOf(document);
    }
    await expect(`${JSON.stringify(members, null, 2)}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, "golden/members.json"),
    );
  });
});
