import assert from "node:assert/strict";
import { type Cases, type Hand, kinds, Skip } from "./bench.ts";
import { advance, entry, park, signal, spec, start } from "./writes.ts";

/** A lease of another worker that is good at this moment is left alone. On a slow machine it may be over by now. */
async function looksAt(worker: Hand, expiresAt: number): Promise<void> {
  const { reaped, now } = await worker.renew();
  if (now >= expiresAt) throw new Skip("this machine is too slow to renew a lease of 200 ms in time");
  assert.equal(reaped, 0, "workers taken over before their time");
}

export const leases: Cases = {
  "S9: a lease lasts as long as was asked for, by the store's clock": async (bench) => {
    const before = (await bench.store.list({}, { limit: 1 })).now;
    const { lease } = await bench.join({ leaseMs: 12_345 });
    const after = (await bench.store.list({}, { limit: 1 })).now;
    assert.ok(before <= lease.now && lease.now <= after);
    assert.equal(lease.expiresAt, lease.now + 12_345);
  },

  "S5: the run of a live worker says who owns it": async (bench) => {
    const workflows = [
      { name: "order", version: "1" },
      { name: "refund", version: "2" },
    ];
    const specs = workflows.map(({ name, version }) => spec(name, version));
    const worker = await bench.join({ host: "shop-1", pid: 42, workflows: specs });
    await worker.bear("a");
    const { owner } = await bench.read("a");
    assert.deepEqual(owner, {
      id: worker.id,
      live: true,
      expiresAt: worker.lease.expiresAt,
      host: "shop-1",
      pid: 42,
      workflows,
    });
  },

  "F70 F76: a lease that is renewed is never taken over, however long its runs take": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    const other = await bench.join();
    for (let round = 0; round < 8; round++) {
      await bench.pass(60);
      const { live, expiresAt } = await worker.renew();
      assert.equal(live, true);
      await looksAt(other, expiresAt);
    }
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(1)] }))), ["done"]);
    assert.equal((await bench.read("a")).run.strikes, 0);
  },

  "F67: a renewal says until when the lease lasts now": async (bench) => {
    const worker = await bench.joinMortal();
    const first = worker.lease.expiresAt;
    await bench.pass(180);
    const { expiresAt, now } = await worker.renew();
    assert.ok(expiresAt > first && expiresAt > now, "extended, for much of it was used up");
    await worker.bear("a");
    assert.equal((await bench.read("a")).owner?.expiresAt, expiresAt);
  },

  "F66: a lease that ran out is good until somebody takes it over": async (bench) => {
    const worker = await bench.joinMortal();
    const run = await worker.bear("a");
    await bench.pass(201);
    assert.deepEqual(kinds(await worker.commit(advance(run, { entries: [entry(1)] }))), ["done"]);
    const { live, expiresAt } = await worker.renew();
    assert.equal(live, true);
    await looksAt(await bench.join(), expiresAt);
  },

  "S5: a renewal compares what the worker owns": async (bench) => {
    const worker = await bench.join();
    await worker.bear("a", "b", "c");
    await worker.commit(advance({ runId: "b", attempt: 1 }, { then: park(0) }), signal("c", "1"));
    await (await bench.join()).bear("other");
    const { owned } = await worker.renew();
    const expected = [
      { runId: "a", attempt: 1, inbox: 0 },
      { runId: "c", attempt: 1, inbox: 1 },
    ];
    if (owned !== null)
      assert.deepEqual(
        owned.toSorted((a, b) => (a.runId < b.runId ? -1 : 1)),
        expected,
      );
  },

  "P1 F4: the runs of a worker whose lease ran out are due for another": async (bench) => {
    const victim = await bench.joinMortal();
    const run = await victim.bear("a", "b");
    await victim.commit(advance(run, { entries: [entry(1)] }));
    const heir = await bench.outlive(victim);
    const { run: freed, owner, now } = await bench.read("a");
    assert.deepEqual([freed.owner, owner, freed.attempt], [null, null, 1]);
    assert.ok(freed.dueAt !== null && freed.dueAt <= now, "due now");
    assert.equal(await bench.statusOf("a"), "ready");
    const { claims } = await heir.claim();
    const attempts = new Map(claims.map(({ run }) => [run.id, run.attempt]));
    assert.deepEqual([attempts.size, attempts.get("a"), attempts.get("b")], [2, 2, 2]);
    assert.equal(claims.find(({ run }) => run.id === "a")?.journal.length, 1);
  },

  "S3 F65: a dead worker is taken over by one, however many look": async (bench) => {
    const second = await bench.second();
    const victim = await bench.joinMortal();
    await victim.bear("a");
    const heirs = [await bench.join(), await bench.join({}, second), await bench.join()];
    await bench.pass(201);
    let reaped = 0;
    await bench.eventually("the dead worker is taken over", async () => {
      const renewals = await Promise.all(heirs.map((heir) => heir.renew()));
      reaped += renewals.reduce((sum, renewal) => sum + renewal.reaped, 0);
      return reaped > 0;
    });
    for (const heir of heirs) reaped += (await heir.renew()).reaped;
    assert.deepEqual([reaped, (await bench.read("a")).run.strikes], [1, 1]);
  },

  "F4: what a dead worker did not own is not touched by its takeover": async (bench) => {
    const victim = await bench.joinMortal();
    const other = await bench.join();
    await victim.bear("a", "b");
    await other.bear("c");
    await bench.commit(start("d"));
    await victim.commit(advance({ runId: "b", attempt: 1 }, { then: park(0) }));
    const before = await Promise.all(["b", "c", "d"].map(async (id) => (await bench.read(id)).run));
    await bench.outlive(victim);
    const after = await Promise.all(["b", "c", "d"].map(async (id) => (await bench.read(id)).run));
    assert.deepEqual(after, before);
  },

  "F73: a run knows how many live workers can run it": async (bench) => {
    await bench.commit(start("a"), start("b", { version: "2" }));
    await bench.join();
    const leaver = await bench.join({ workflows: [spec("order", "2")] });
    const victim = await bench.joinMortal();
    assert.deepEqual([(await bench.read("a")).capable, (await bench.read("b")).capable], [2, 1]);
    await leaver.commit({ kind: "leave" });
    await bench.outlive(victim);
    assert.deepEqual([(await bench.read("a")).capable, (await bench.read("b")).capable], [2, 0]);
  },

  "S9: an expired worker counts no more, though nobody has taken over yet": async (bench) => {
    await bench.commit(start("a"));
    await bench.joinMortal();
    assert.equal((await bench.read("a")).capable, 1);
    await bench.expire("its lease is over", async () => (await bench.read("a")).capable === 0);
  },
};
