import assert from "node:assert/strict";
import { type Cases, kinds } from "./bench.ts";
import {
  advance,
  end,
  entry,
  FAR_AWAY,
  LONG_AGO,
  ORDER,
  park,
  RELEASE,
  resume,
  retry,
  signal,
  spec,
  start,
  stick,
} from "./writes.ts";

/** Encoded values that databases and drivers have been seen to change. */
const TEXTS: readonly string[] = [
  "",
  "null",
  '"\\u0000"',
  '"\\ud800 and \\udfff"',
  '"it\'s \\"quoted\\" ; -- % _ \\\\ \\n"',
  '"👩‍👩‍👧‍👦 naïve ﷽ \u202e"',
  '{"b":1,"a":2,"a":3,"big":12345678901234567890,"f":1.0,"e":1e400}',
  ' \t{ "kept" : "as it is" }\n\r',
  "[[],{},-0]",
  '{"__proto__":{"x":1},"a_b":1,"aB":2,"1":3}',
  "not JSON at all: enc:v1:AAECAw==",
];

const MEGABYTE = `"${"0123456789abcdef".repeat(2 ** 16)}"`;

/** Names as attackers and careless people choose them. */
const NAMES: readonly string[] = [
  "'\";--%_\\",
  "'); DROP TABLE runs; --",
  "a/b c?d=e&f#g",
  "naïve ⚡ 👩‍👧",
  "A",
  "a",
  " a ",
  "%",
  "_",
  "1e3",
  "null",
  "x".repeat(200),
];

/** A megabyte of difference helps nobody. */
function isSame(actual: string | null | undefined, text: string): void {
  assert.ok(actual === text, `${JSON.stringify(text.slice(0, 60))} came back as ${actual?.slice(0, 60)}`);
}

export const values: Cases = {
  "F59 F103: values come back as the text that was given, wherever they are": async (bench) => {
    const worker = await bench.join();
    for (const [index, text] of [...TEXTS, MEGABYTE].entries()) {
      const id = `run-${index}`;
      await worker.commit(start(id, { input: text, inputHash: "h", claim: true }));
      await bench.commit(signal(id, "1", { payload: text }));
      const wrote = [
        entry(1, { value: text }),
        { seq: 2, kind: "step", key: "x", at: LONG_AGO + 2, error: text },
      ] as const;
      const rows = [retry("x", { error: text })];
      await worker.commit(
        advance({ runId: id, attempt: 1 }, { entries: wrote, retries: rows, then: RELEASE }),
      );
      const { claims } = await worker.claim();
      const [{ run, journal, messages, retries } = assert.fail("no claim")] = claims;
      const got = [run.input, journal[0]?.value, journal[1]?.error, messages[0]?.payload, retries[0]?.error];
      for (const value of got) isSame(value, text);
      const last = end("failed", { result: text, error: text });
      await worker.commit(advance({ runId: id, attempt: 2 }, { then: last }));
      const ended = (await bench.read(id)).run;
      isSame(ended.result, text);
      isSame(ended.error, text);
    }
  },

  "F59 F103: what people write and read comes back as well": async (bench) => {
    const worker = await bench.join();
    for (const [index, text] of TEXTS.entries()) {
      const id = `run-${index}`;
      await worker.bear(id);
      const note = { code: "BUG", message: text, key: text, at: LONG_AGO };
      const tags = { [text]: text };
      await worker.commit(advance({ runId: id, attempt: 1 }, { tags, then: stick(note) }));
      const { run } = await bench.read(id);
      assert.deepEqual([run.stuck, { ...run.tags }], [note, tags]);
      assert.equal(await bench.store.count({ tag: tags }), 1, `by tag ${text}`);
      await bench.commit(resume(id, text));
      assert.equal((await bench.read(id)).journal.at(-1)?.value, text);
    }
  },

  "S1 of the threats: ids and names are data, whatever is in them": async (bench) => {
    const worker = await bench.join({ workflows: NAMES.map((name) => spec(name, name)) });
    for (const name of NAMES) {
      const given = { workflow: name, version: name, tags: { [name]: name } };
      assert.deepEqual(kinds(await bench.commit(start(name, given), start(name, given))), [
        "created",
        "exists",
      ]);
      assert.deepEqual(kinds(await bench.commit(signal(name, name, { name }))), ["done"]);
      assert.deepEqual(await bench.commit(signal(name, name, { name })), [{ is: "duplicate" }]);
    }
    for (const name of NAMES) {
      const workflows = [{ name, version: name }];
      const { claims } = await worker.claim({ workflows, limit: 5 });
      assert.deepEqual(
        claims.map(({ run }) => [run.id, run.workflow, run.version]),
        [[name, name, name]],
      );
      assert.deepEqual(
        claims[0]?.messages.map((message) => [message.id, message.name]),
        [[name, name]],
      );
      for (const filter of [{ ids: [name] }, { workflow: name }, { tag: { [name]: name } }]) {
        assert.equal(await bench.store.count(filter), 1, JSON.stringify(filter));
      }
    }
    assert.equal(await bench.store.count({}), NAMES.length);
  },

  "S1 of the threats: keys are data, too": async (bench) => {
    const worker = await bench.join();
    const run = await worker.bear("a");
    const wrote = NAMES.map((key, index) => entry(index + 1, { key }));
    const waits = NAMES.map((key) => ({ kind: "signal", key, until: null }) as const);
    await worker.commit(advance(run, { entries: wrote, retries: NAMES.map((key) => retry(key)) }));
    await worker.commit(advance(run, { settled: NAMES.slice(1), then: park(0, { waits }) }));
    const { run: parked, journal, retries } = await bench.read("a");
    assert.deepEqual(
      journal.map(({ key }) => key),
      NAMES,
    );
    assert.deepEqual(
      retries.map(({ key }) => key),
      NAMES.slice(0, 1),
    );
    assert.deepEqual(parked.waits, waits);
  },

  "F58: instants and counts are exact up to the largest safe integer": async (bench) => {
    const worker = await bench.join();
    const huge = Number.MAX_SAFE_INTEGER;
    await worker.commit(start("a", { claim: true, timeoutMs: huge, priority: 2 ** 31 - 1 }));
    const row = retry("x", { failures: 2 ** 31, firstAt: huge - 1, nextAt: huge });
    const waits = [{ kind: "retry", key: "x", until: huge }] as const;
    const run = { runId: "a", attempt: 1 };
    await worker.commit(advance(run, { entries: [entry(1, { at: huge })], retries: [row] }));
    await worker.commit(advance(run, { then: park(0, { dueAt: huge, waits }) }));
    const details = await bench.read("a");
    assert.deepEqual([details.run.timeoutMs, details.run.priority], [huge, 2 ** 31 - 1]);
    assert.deepEqual([details.run.dueAt, details.run.waits], [huge, waits]);
    assert.deepEqual([details.journal[0]?.at, details.retries], [huge, [row]]);
    assert.equal((await worker.claim()).nextDueAt, huge);
  },

  "F105: what the store hands out is not what it keeps": async (bench) => {
    const write = start("a", { tags: { city: "Lisbon" } });
    await bench.commit(write);
    Object.assign(write.run.tags, { city: "Porto" });
    const first = await bench.read("a");
    Object.assign(first.run.tags, { city: "Faro" });
    Object.assign(first.run, { owner: 7, dueAt: FAR_AWAY });
    const { run } = await bench.read("a");
    assert.deepEqual([{ ...run.tags }, run.owner], [{ city: "Lisbon" }, null]);
    const worker = await bench.join({ workflows: [ORDER] });
    const [claim] = (await worker.claim()).claims;
    Object.assign(claim?.run ?? {}, { attempt: 9 });
    assert.equal((await bench.read("a")).run.attempt, 1);
  },
};
