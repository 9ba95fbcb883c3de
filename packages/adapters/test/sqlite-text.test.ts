import { describe, expect, test } from "vitest";
import { advance, entry, Hand, rejection, signal, start } from "./hand.ts";
import { connect, openStore, tempFile } from "./sqlite-bed.ts";

/** Two texts that SQLite would both store as U+FFFD. */
const HIGH = "x\ud800";
const LOW = "x\udc00";

describe("F35: what SQLite would change without a word is refused", () => {
  test("ids, names and tags with a lone surrogate", async () => {
    const store = openStore();
    const outcomes = await store.commit({
      writes: [
        start(HIGH),
        start("b", { workflow: HIGH }),
        start("c", { version: LOW }),
        start("d", { tags: { [HIGH]: "v" } }),
        start("e", { tags: { v: LOW } }),
        start("f", { input: `"${HIGH}"` }),
        start("good"),
        signal("good", HIGH),
        signal(HIGH, "1"),
      ],
    });
    expect(outcomes.map(({ is }) => is)).toEqual([
      ...Array<string>(6).fill("refused"),
      "created",
      "refused",
      "refused",
    ]);
    expect(outcomes[0]).toMatchObject({ reason: "the run's id holds a lone surrogate, which is not text" });
    expect(await store.count({})).toBe(1);
  });

  test("so a run is never taken for another one", async () => {
    const store = openStore();
    await store.commit({ writes: [start("x\ufffd")] });
    expect(await store.read(HIGH)).toBeUndefined();
    expect(await store.commit({ writes: [signal(LOW, "1")] })).toMatchObject([{ is: "refused" }]);
    expect((await store.read("x\ufffd"))?.run.inbox).toBe(0);
  });

  test("keys, values and results", async () => {
    const store = openStore();
    const worker = await Hand.join(store);
    await worker.commit(start("a", { claim: true }));
    const retry = { key: LOW, failures: 1, firstAt: 1, nextAt: 1, inDoubt: false };
    const outcomes = await worker.commit(
      advance("a", { entries: [entry(1, { key: HIGH })] }),
      advance("a", { entries: [entry(1, { value: HIGH })] }),
      advance("a", { entries: [entry(1, { error: LOW })] }),
      advance("a", { retries: [retry] }),
      advance("a", { then: { do: "end", status: "completed", result: HIGH } }),
      advance("a", { entries: [entry(1)] }),
    );
    expect(outcomes.map(({ is }) => is)).toEqual([...Array<string>(5).fill("refused"), "done"]);
  });
});

test("F103: NUL is text like any other, wherever it stands", async () => {
  const store = openStore();
  const worker = await Hand.join(store);
  const ids = ["a", "a\0", "a\0b", "\0"];
  await store.commit({ writes: ids.map((id) => start(id, { tags: { [id]: id }, input: `"${id}"` })) });
  for (const id of ids) {
    expect(await store.count({ ids: [id] })).toBe(1);
    expect((await store.read(id))?.run).toMatchObject({ id, input: `"${id}"`, tags: { [id]: id } });
    expect(await store.count({ tag: { [id]: id } })).toBe(1);
  }
  expect((await worker.claim()).map(({ run }) => run.id).toSorted()).toEqual(ids.toSorted());
});

test("F57: numbers that are no whole milliseconds are refused with their write", async () => {
  const store = openStore();
  const worker = await Hand.join(store);
  const outcomes = await worker.commit(
    start("a", { claim: true }),
    advance("a", { entries: [entry(1, { at: 1.5 })] }),
    advance("a", { entries: [entry(1, { at: Number.NaN })] }),
    advance("a", { entries: [entry(1)] }),
    start("b", { due: { inMs: 0.5 } }),
  );
  expect(outcomes.map(({ is }) => is)).toEqual(["created", "refused", "refused", "done", "created"]);
});

test("S4: an operator's entry and the owner's next one, in one batch, follow each other", async () => {
  const store = openStore();
  const worker = await Hand.join(store);
  const stuck = { do: "stick", stuck: { code: "BUG", message: '"x"', at: 1 } } as const;
  await worker.commit(
    start("a", { claim: true }),
    start("b", { claim: true }),
    advance("a", { entries: [entry(1)], then: stuck }),
  );
  const resume = { kind: "operate", runId: "a", operation: "resume", id: "1", value: "1" } as const;
  const outcomes = await worker.commit(
    advance("b", { entries: [entry(1), entry(2)] }),
    resume,
    advance("b", { entries: [entry(3)] }),
    advance("b", { entries: [entry(5)] }),
    advance("b", { entries: [entry(4)] }),
  );
  expect(outcomes.map(({ is }) => is)).toEqual(["done", "done", "done", "refused", "done"]);
  expect((await store.read("a"))?.journal.map(({ kind }) => kind)).toEqual(["step", "resume"]);
  expect((await store.read("b"))?.journal.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test("a journal of 10,000 entries is claimed whole, in order, in pieces that let the process breathe", async () => {
  const store = openStore();
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true }));
  for (let from = 1; from <= 10_000; from += 500) {
    await worker.commit(advance("a", { entries: Array.from({ length: 500 }, (_, n) => entry(from + n)) }));
  }
  await worker.commit(advance("a", { then: { do: "release" } }));
  const [claim] = await worker.claim();
  expect(claim?.journal.length).toBe(10_000);
  expect(claim?.journal.every(({ seq, attempt }, index) => seq === index + 1 && attempt === 1)).toBe(true);
});

test("a journal that lost an entry is named damaged, not replayed", async () => {
  const file = tempFile();
  const store = openStore(file);
  const worker = await Hand.join(store);
  await worker.commit(start("a", { claim: true }), advance("a", { entries: [entry(1), entry(2), entry(3)] }));
  connect(file).exec("DELETE FROM everstep_journal WHERE seq = 2");
  expect((await rejection(store.read("a"))).message).toMatch(/journal of run a is damaged: of 3 entries 1/);
});

test("F57: a damaged run takes no other one with it", async () => {
  const file = tempFile();
  const store = openStore(file);
  const worker = await Hand.join(store);
  for (const id of ["a", "b", "c"]) {
    await worker.commit(start(id, { claim: true }), advance(id, { entries: [entry(1)] }));
    await worker.commit(advance(id, { then: { do: "release" } }));
  }
  connect(file).exec(
    "DELETE FROM everstep_journal WHERE run = (SELECT no FROM everstep_runs WHERE id = 'b')",
  );
  expect((await worker.claim()).map(({ run }) => run.id)).toEqual(["a", "c"]);
  await worker.commit(advance("b", { attempt: 2, then: { do: "release", interrupted: true } }));
  expect((await rejection(worker.claim())).message).toContain("journal of run b is damaged");
});
