/** What workers tell of their workflows, and runs that are started by name. */
import assert from "node:assert/strict";
import type { WorkflowSpec } from "../../store.ts";
import { type Bench, type Cases, kinds } from "./bench.ts";
import { EVENT, ORDER, spec, start } from "./writes.ts";

/** A worker told of these, and is gone. */
async function tell(bench: Bench, ...workflows: readonly WorkflowSpec[]): Promise<void> {
  await (await bench.join({ workflows })).commit({ kind: "leave" });
}

async function currentOf(bench: Bench, name: string): Promise<string | undefined> {
  const current = (await bench.store.workflows()).filter((row) => row.name === name && row.current);
  assert.ok(current.length <= 1, "one version is the current one");
  return current[0]?.version;
}

async function versionByName(bench: Bench, id: string): Promise<string> {
  await bench.commit(start(id, { version: null }));
  return (await bench.read(id)).run.version;
}

export const workflows: Cases = {
  "workflows are listed as their workers told of them": async (bench) => {
    assert.deepEqual(await bench.store.workflows(), []);
    const mail = spec("mail", "7", { on: EVENT, priority: 3, timeoutMs: 9_000 });
    await bench.join({ workflows: [ORDER, spec("order", "2"), mail] });
    await bench.join({ workflows: [ORDER] });
    const { now } = await bench.store.list({}, { limit: 1 });
    const all = await bench.store.workflows();
    assert.ok(all.every(({ since }) => Number.isInteger(since) && since <= now));
    const [since] = all.map((row) => row.since);
    assert.deepEqual(
      all.map((row) => ({ ...row, since })),
      [
        { ...mail, current: true, liveWorkers: 1, paused: null, since },
        { ...ORDER, current: false, liveWorkers: 2, paused: null, since },
        { ...spec("order", "2"), current: true, liveWorkers: 1, paused: null, since },
      ],
    );
  },

  "what is told of again replaces what was told, but is not newer for that": async (bench) => {
    await tell(bench, ORDER);
    const [first] = await bench.store.workflows();
    await bench.pass(5);
    await tell(bench, spec("order", "1", { on: EVENT, priority: 4, timeoutMs: 1 }));
    assert.deepEqual(await bench.store.workflows(), [{ ...first, on: EVENT, priority: 4, timeoutMs: 1 }]);
  },

  "the current version is the one first told of last": async (bench) => {
    assert.equal(await versionByName(bench, "unknown"), "1");
    await tell(bench, spec("order", "9"), spec("order", "10"), spec("other", "11"));
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "a")], ["10", "10"]);
    await tell(bench, spec("order", "8"));
    await tell(bench, spec("order", "9"));
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "b")], ["8", "8"]);
  },

  "S9: of the versions that a live worker has, as long as there are any": async (bench) => {
    await tell(bench, spec("order", "1"), spec("order", "2"));
    const old = await bench.join({ workflows: [spec("order", "1")] });
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "a")], ["1", "1"]);
    const newer = await bench.join({ workflows: [spec("order", "2")] });
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "b")], ["2", "2"]);
    await newer.commit({ kind: "leave" });
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "c")], ["1", "1"]);
    await bench.joinMortal({ workflows: [spec("order", "2")] });
    await bench.expire("its lease is over", async () => (await currentOf(bench, "order")) === "1");
    assert.equal(await versionByName(bench, "d"), "1");
    await old.commit({ kind: "leave" });
    assert.deepEqual([await currentOf(bench, "order"), await versionByName(bench, "e")], ["2", "2"]);
  },

  "a run that is started by name has what its workers told of": async (bench) => {
    await tell(bench, spec("order", "4", { priority: 6, timeoutMs: 7_000 }));
    await bench.commit(
      start("told", { version: null, priority: null, timeoutMs: 1, raw: true }),
      start("given", { version: null, priority: 2, due: { at: 5 } }),
      start("coded", { version: "1", priority: 2, timeoutMs: 1 }),
      start("unknown", { workflow: "unknown", version: null, priority: null }),
    );
    const rows = await Promise.all(["told", "given", "coded", "unknown"].map((id) => bench.read(id)));
    assert.deepEqual(
      rows.map(({ run }) => [run.version, run.priority, run.timeoutMs, run.raw]),
      [
        ["4", 6, 7_000, true],
        ["4", 2, 7_000, false],
        ["1", 2, 1, false],
        ["1", 0, null, false],
      ],
    );
    assert.equal(rows[1]?.run.dueAt, 5);
  },

  "F38: the same run by name and by version is the same run": async (bench) => {
    await tell(bench, spec("order", "1"));
    await bench.commit(start("a", { version: null }));
    await tell(bench, spec("order", "2"));
    const again = [start("a", { version: null }), start("a"), start("a", { version: null, input: "2" })];
    assert.deepEqual(kinds(await bench.commit(...again)), ["exists", "exists", "conflict"]);
    assert.equal((await bench.read("a")).run.version, "1");
  },

  "S5: a run that is started by name is not born claimed": async (bench) => {
    const worker = await bench.join();
    const [outcome] = await worker.commit(start("a", { version: null, claim: true }));
    assert.ok(outcome?.is === "created" && !outcome.claimed);
    assert.deepEqual(await worker.claimIds(), ["a"]);
  },

  "S1 of the threats: names and versions are data, whatever is in them": async (bench) => {
    const names = ["", "'; DROP TABLE", 'a"b', "a\nb", "é", "%", "a/b", "constructor", "__proto__"];
    const specs = names.map((name) => spec(name, name, { on: name }));
    await bench.join({ workflows: specs });
    const all = await bench.store.workflows();
    assert.deepEqual(
      new Set(all.map(({ name, version, on }) => JSON.stringify([name, version, on]))),
      new Set(specs.map(({ name, version, on }) => JSON.stringify([name, version, on]))),
    );
    for (const name of names) {
      await bench.commit(start(`run of ${name}`, { workflow: name, version: null }));
      assert.equal((await bench.read(`run of ${name}`)).run.version, name);
    }
  },
};
