/** The JSON of every command that changes something, word for word: the documented contract of what scripts read. */
import { join } from "node:path";
import { workflow } from "@everstep/core";
import { describe, expect, test } from "vitest";
import { type Answer, KINDS, Operator } from "./support/operator.ts";
import { importShownRuns } from "./support/shown-runs.ts";

const MODULE = join(import.meta.dirname, "support/shop-2.ts");
const BY = ["--by", "ada@shop", "--because", "the bank is back"];

type Typed = readonly [name: string, code: number, words: readonly string[], input?: string];

/** One after the other: each is done to what the ones before left. */
const TYPED: readonly Typed[] = [
  ["resume-dry-run", 0, ["resume", "order-1", "order-3", "nobody", "--dry-run"]],
  ["pause-workflow", 0, ["pause", "--workflow", "packing", "--yes", ...BY]],
  ["resume-workflow", 0, ["resume", "--workflow", "packing", "--yes"]],
  ["resume", 0, ["resume", "order-3/packing", ...BY]],
  ["pause", 0, ["pause", "order-3/packing", ...BY]],
  ["fork", 0, ["fork", "order-3", "--from", "charge", "--id", "order-3-b", ...BY]],
  ["fork-several", 0, ["fork", "order-1", "order-2", "--from", "charge", "--suffix=-b", "--yes", ...BY]],
  ["resolve", 0, ["resolve", "order-3", "charge", "--result", '"ch_7"', ...BY]],
  ["resolve-refused", 1, ["resolve", "order-1", "charge", "--rerun"]],
  ["skip-several", 4, ["skip", "-", "--step", "charge", "--yes", ...BY], "order-4\norder-1\nnobody\n"],
  ["signal", 0, ["signal", "order-3", "approval", '{ "by": "ada" }', "--id", "evt_7"]],
  ["retry", 0, ["retry", "--status", "failed", "--yes", ...BY]],
  ["rewind", 0, ["rewind", "order-1", "--to", "charge", "--yes", ...BY]],
  ["cancel", 0, ["cancel", "--workflow", "packing", "--no-compensate", "--yes", ...BY]],
  ["purge", 0, ["purge", "order-9", "--yes"]],
  ["purge-nobody", 3, ["purge", "order-9", "--yes"]],
  ["usage", 2, ["cancel"]],
  ["usage-option", 2, ["cancel", "--statu", "stuck"]],
  ["usage-command", 2, ["cancle", "order-1"]],
  ["usage-nothing", 2, []],
  ["start-dry-run", 0, ["start", "kept", '{ "orderId": "42" }', "--id", "kept-1", "--dry-run"]],
  ["emit-dry-run", 0, ["emit", "order:completed", '{ "id": 1 }', "--id", "1", "--dry-run"]],
  ["start", 0, ["start", "kept", '{ "orderId": "42" }', "--id", "kept-1"]],
  ["start-unknown", 3, ["start", "keptt", "1"]],
  ["emit", 0, ["emit", "order:completed", '{ "id": 1 }', "--id", "1"]],
  ["check", 1, ["check", "--workflows", MODULE]],
  ["move", 0, ["move", "retired-1", "--workflows", MODULE, ...BY]],
  ["export", 0, ["export", "order-2-b", "--out", "order-2-b.json"]],
  ["import", 1, ["import", "-"], `{ "everstep": 1 }\n{ "everstep": 2 }\n`],
  ["init", 0, ["init", "shop"]],
  ["migrate", 0, ["migrate"]],
];

async function withRuns(kind: (typeof KINDS)[number]): Promise<Operator> {
  const operator = new Operator(kind);
  const { client } = operator;
  await importShownRuns(client);
  for (const [id, copy] of [
    ["order-1", "order-9"],
    ["order-3", "order-4"],
  ] as const)
    await client.runs.import(JSON.stringify(await client.runs.export(id)).replaceAll(id, copy));
  const kept = workflow({ name: "kept" }, (ctx) => ctx.waitForSignal("go"));
  const retired = workflow({ name: "retired", on: "order:completed" }, (ctx) => ctx.waitForSignal("go"));
  const worker = await operator.worker(kept, retired);
  await client.start(retired, null, { id: "retired-1" });
  await operator.until("retired-1", "waiting");
  await worker.stop();
  return operator;
}

/** Without what differs from one test run to the next. */
function steady({ out, err }: Answer, { cwd, url }: Operator): string {
  const schema = new URL(url.replace(/^sqlite:/, "file:")).searchParams.get("schema");
  return (out === "" ? err : out)
    .replaceAll(cwd, "/shop")
    .replaceAll(/postgres:\/\/[^"]*/g, "/shop/shop.db")
    .replaceAll(schema ?? "nothing of the kind", "everstep");
}

describe.each(KINDS)("on %s", (kind) => {
  test("the JSON is the documented one", async () => {
    const operator = await withRuns(kind);
    for (const [name, code, words, input = ""] of TYPED) {
      const answer = await operator.type([...words, "--json"], { input });
      expect({ name, code: answer.code, both: answer.out !== "" && answer.err !== "" }).toEqual({
        name,
        code,
        both: false,
      });
      const text = steady(answer, operator);
      expect(JSON.parse(text), `typed ${name}`).toBeTypeOf("object");
      await expect(text).toMatchFileSnapshot(join(import.meta.dirname, `golden/changing/${name}.json`));
    }
  });
});
