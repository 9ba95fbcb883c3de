/** P5: real processes that are killed, frozen, cut off and started together. Each prints how long it took. */
import { Client, type Logger, type Store, Worker, type Workflow, workflow } from "@everstep/core";
import { startPostgres } from "@everstep/postgres-server";
import type { TcpProxy } from "@everstep/postgres-server/tcp-proxy";
import { describe, expect, onTestFinished, test } from "vitest";
import type { PostgresTx } from "../src/postgres/index.ts";
import { Bed } from "./postgres/bed.ts";
import { Child } from "./postgres/child.ts";
import { eventually, Hand, start } from "./hand.ts";
import { Place } from "./postgres/place.ts";

const silent = (): void => {};
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };
const isUnix = process.platform !== "win32";

/** The workflow of the children, executed in this process: what it began, and when. */
class Heir {
  readonly store: Store<PostgresTx>;
  readonly client: Client<PostgresTx>;
  readonly order: Workflow<number, string>;
  readonly worker: Worker<PostgresTx>;
  readonly began: Map<string, number> = new Map();

  constructor(place: Place) {
    this.store = place.open();
    this.client = new Client({ store: this.store });
    this.order = workflow({ name: "order" }, (ctx, _input: number) =>
      ctx.step("charge", () => {
        this.began.set(ctx.run.id, performance.now());
        return "by the heir";
      }),
    );
    this.worker = new Worker({ store: this.store, workflows: [this.order], logger });
    onTestFinished(async () => void (await this.worker.stop({ grace: 0 })));
  }

  async begins(runId: string): Promise<number> {
    await eventually(`run ${runId} begins elsewhere`, () => this.began.has(runId));
    return this.began.get(runId) ?? 0;
  }
}

interface WorkerRow {
  readonly id: number;
  readonly pid: number;
  readonly live: boolean;
  readonly expires_at: number;
}

const workersOf = (place: Place): Promise<WorkerRow[]> =>
  place.rows("SELECT id::int, pid::int, live, expires_at::float8 FROM @workers ORDER BY id");

async function workerOf(place: Place, { process: { pid } }: Child): Promise<WorkerRow> {
  const row = (await workersOf(place)).findLast((worker) => worker.pid === pid);
  if (row === undefined) throw new Error(`process ${pid} has no worker`);
  return row;
}

interface ChildSettings {
  readonly url?: string;
  readonly leaseMs?: number;
  readonly transactionPooler?: boolean;
}

/** A child that has begun run `runId`, which no other worker was there to take. */
async function childWith(
  place: Place,
  runId: string,
  { url = place.url, ...settings }: ChildSettings = {},
): Promise<Child> {
  const child = new Child("work", { url, schema: place.schema }, settings);
  await child.says("ready");
  const client = new Client({ store: place.open() });
  await client.start(
    workflow({ name: "order" }, (_ctx, _input: number) => "elsewhere"),
    1,
    { id: runId },
  );
  await eventually(`the child begins ${runId}`, () => child.said("began").includes(runId));
  return child;
}

/** The database's own, since it decides. */
async function nowOf(store: Store): Promise<number> {
  return (await store.list({}, { limit: 1 })).now;
}

/** The network between the server and whoever goes by this URL. */
async function linkTo(place: Place): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const proxy = await new Bed(place.url).proxy();
  const url = new URL(place.url);
  url.port = String(proxy.port);
  url.hostname = "127.0.0.1";
  return { proxy, url: url.href };
}

/** Since the server was started. */
async function ageMsOf(place: Place): Promise<number> {
  const [row] = await place.rows<{ ms: number }>(
    "SELECT 1000 * extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS ms",
  );
  return row?.ms ?? 0;
}

/** How many workers somebody takes over who looks for so long. During an outage nobody is taken over. */
async function reapedIn(heir: Hand, ms: number): Promise<number> {
  const since = performance.now();
  let reaped = 0;
  await eventually(`it looked for ${ms} ms`, async () => {
    const renewal = await heir.renew().catch(() => undefined);
    reaped += renewal?.reaped ?? 0;
    return performance.now() - since > ms;
  });
  return reaped;
}

describe("the death of another process", () => {
  test("F4 F69: a killed worker is noticed in about a second with a lease of a minute, and its id is gone", async () => {
    const place = new Place();
    const ids: number[] = [];
    const tookMs: number[] = [];
    for (const runId of ["a", "b", "c"]) {
      const child = await childWith(place, runId, { leaseMs: 60_000 });
      const heir = new Heir(place);
      await heir.worker.start();
      const victim = await workerOf(place, child);
      ids.push(victim.id);
      await heir.client.start(heir.order, 1, { id: `${runId} of the heir` });
      await heir.begins(`${runId} of the heir`);
      const killedAt = performance.now();
      child.kill("SIGKILL");
      tookMs.push(Math.round((await heir.begins(runId)) - killedAt));
      expect(await nowOf(heir.store)).toBeLessThan(victim.expires_at);
      expect(await heir.client.get(runId).result()).toBe("by the heir");
      expect((await heir.store.read(runId))?.journal).toMatchObject([{ key: "charge", attempt: 2 }, {}]);
      await heir.worker.stop();
    }
    console.log(`a killed worker's run went on elsewhere after ${tookMs.join(", ")} ms`);
    // The quickest of three: on a busy machine the heir itself is slow.
    expect(Math.min(...tookMs)).toBeLessThan(3_000);
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
  });

  const still = { "F63 stopped": "SIGSTOP", "F66 blocked in a loop of its own": "block" } as const;
  for (const [what, how] of Object.entries(still)) {
    test.runIf(isUnix)(`${what}: noticed by its lease only, and refused when it wakes up`, async () => {
      const place = new Place();
      const child = await childWith(place, "a", { leaseMs: 3_000 });
      const old = await workerOf(place, child);
      const heir = new Heir(place);
      await heir.worker.start();
      if (how === "block") child.tell("block");
      else child.kill("SIGSTOP");
      const stoppedAt = performance.now();
      const took = Math.round((await heir.begins("a")) - stoppedAt);
      const { expires_at: expiresAt } = (await workersOf(place)).find(({ id }) => id === old.id) ?? old;
      expect(await nowOf(heir.store)).toBeGreaterThanOrEqual(expiresAt);
      console.log(`${what}: its run went on elsewhere after ${took} ms of a lease of 3000 ms`);
      expect(await heir.client.get("a").result()).toBe("by the heir");
      child.kill("SIGCONT");
      child.tell("go");
      expect(await child.says("warns")).toContain("lease is over");
      await child.says("ended");
      await eventually("it joins again", async () => (await workerOf(place, child)).live);
      expect((await workerOf(place, child)).id).toBeGreaterThan(old.id);
      const { run, journal = [] } = (await heir.store.read("a")) ?? {};
      expect(run).toMatchObject({ end: "completed", attempt: 2 });
      expect(journal.map(({ kind, attempt }) => [kind, attempt])).toEqual([
        ["step", 2],
        ["end", 2],
      ]);
      expect(child.said("errs")).toEqual([]);
    });
  }

  test("F69: behind a transaction pooler a killed worker is known by its lease alone", async () => {
    const place = new Place();
    const child = await childWith(place, "a", { leaseMs: 4_000, transactionPooler: true });
    const heir = new Heir(place);
    await heir.worker.start();
    child.kill("SIGKILL");
    const { expires_at: expiresAt } = await workerOf(place, child);
    await heir.begins("a");
    expect(await nowOf(heir.store)).toBeGreaterThanOrEqual(expiresAt);
  });

  test("F65: of several processes one takes over", async () => {
    const place = new Place();
    const child = await childWith(place, "a");
    const heirs = await Promise.all([1, 2, 3].map(() => Hand.join(place.open())));
    child.kill("SIGKILL");
    let reaped = 0;
    await eventually("the dead worker is taken over", async () => {
      const renewals = await Promise.all(heirs.map((heir) => heir.renew()));
      reaped += renewals.reduce((sum, renewal) => sum + renewal.reaped, 0);
      return reaped > 0;
    });
    expect(reaped).toBe(1);
    expect((await place.rows("SELECT strikes::int FROM @runs"))[0]).toEqual({ strikes: 1 });
  });
});

describe("healthy workers are not taken over", () => {
  test("F36 F70: a crash of the server costs nobody its runs, nor its id", async ({ skip }) => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    if (server.own === null) return skip("the server of DATABASE_URL is not ours to restart");
    const place = new Place(server.url, "everstep");
    const children = [];
    for (const runId of ["a", "b", "c"]) children.push(await childWith(place, runId));
    const before = await workersOf(place);
    await server.own.restart("immediate");
    const since = performance.now();
    await eventually("everybody holds a lock again", async () => {
      const holders = before.map(({ id }) => place.lockHolder(id).catch(() => undefined));
      return (await Promise.all(holders)).every((holder) => holder !== undefined);
    });
    console.log(
      `after a crash of the server all workers were back in ${Math.round(performance.now() - since)} ms`,
    );
    // Three seconds of grace, then two looks a second apart, and as much again.
    await eventually(
      "the workers could have judged each other several times",
      async () => (await ageMsOf(place)) > 10_000,
    );
    expect((await workersOf(place)).map(({ id, live }) => [id, live])).toEqual(
      before.map(({ id }) => [id, true]),
    );
    expect(
      await place.rows("SELECT id, strikes::int, attempt::int FROM @runs WHERE strikes > 0 OR attempt > 1"),
    ).toEqual([]);
    const client = new Client({ store: place.open() });
    for (const child of children) child.tell("go");
    for (const runId of ["a", "b", "c"]) expect(await client.get(runId).result()).toBe("by the child");
  });

  test.runIf(isUnix)(
    "F36: one that is slow to come back after a crash of the server is waited for",
    async ({ skip }) => {
      // It recovers in no time, however busy the disk is.
      const server = await startPostgres({ settings: { fsync: "off" } });
      onTestFinished(() => server.stop());
      const { own } = server;
      if (own === null) return skip("the server of DATABASE_URL is not ours to restart");
      const place = new Place(server.url, "everstep");
      const child = await childWith(place, "a", { leaseMs: 120_000 });
      const { id } = await workerOf(place, child);
      child.kill("SIGSTOP");
      let heir = await Hand.join(place.open());
      await eventually("somebody is there soon enough after a crash", async () => {
        await heir.commit({ kind: "leave" });
        await own.restart("immediate");
        // It has lost nothing itself, so that only the age of the server keeps it from judging.
        heir = await Hand.join(place.open());
        return (await ageMsOf(place)) < 1_200;
      });
      // Long enough to be dead by its lock.
      expect(await reapedIn(heir, 1_400)).toBe(0);
      child.kill("SIGCONT");
      await eventually("it is back", async () => (await place.lockHolder(id)) !== undefined);
      expect(await reapedIn(heir, 3_000)).toBe(0);
      child.tell("go");
      expect(await new Client({ store: place.open() }).get("a").result()).toBe("by the child");
    },
  );

  test.runIf(isUnix)("F47: nor is one that is slow to come back after an outage of six seconds", async () => {
    const place = new Place();
    const { proxy, url } = await linkTo(place);
    const child = await childWith(place, "a", { url, leaseMs: 120_000 });
    const { id } = await workerOf(place, child);
    const heir = await Hand.join(place.open({ over: url }));
    await proxy.refuse();
    proxy.cut();
    // Longer than a worker judges nobody because it has lost its own session.
    expect(await reapedIn(heir, 6_000)).toBe(0);
    child.kill("SIGSTOP");
    await proxy.accept();
    await eventually("the other one is back", async () => (await place.lockHolder(heir.id)) !== undefined);
    expect(await reapedIn(heir, 1_500)).toBe(0);
    child.kill("SIGCONT");
    await eventually("it is back", async () => (await place.lockHolder(id)) !== undefined);
    expect(await reapedIn(heir, 3_000)).toBe(0);
    child.tell("go");
    expect(await new Client({ store: place.open() }).get("a").result()).toBe("by the child");
  });

  test("F49 F70: a worker that lost only its session, and can't get another, is not taken over while it renews", async () => {
    const place = new Place();
    await place.open().count({});
    const role = place.schema.replaceAll(/[ -]/g, "_");
    await place.rows(`CREATE ROLE ${role} SUPERUSER LOGIN`);
    onTestFinished(async () => void (await place.rows(`DROP ROLE ${role}`)));
    const url = new URL(place.url);
    url.username = role;
    const child = await childWith(place, "a", { url: url.href });
    const { id } = await workerOf(place, child);
    const heir = new Heir(place);
    await heir.worker.start();
    await place.rows(`ALTER ROLE ${role} NOLOGIN`);
    await place.rows("SELECT pg_terminate_backend($1)", await place.lockHolder(id));
    await eventually("its lock is free", async () => (await place.lockHolder(id)) === undefined);
    const beatOf = async (): Promise<number> =>
      (await place.rows<{ beat: number }>("SELECT beat::int FROM @workers WHERE id = $1", id))[0]?.beat ?? 0;
    const first = await beatOf();
    await eventually("it showed life ten times without a lock", async () => (await beatOf()) > first + 10);
    expect(await place.lockHolder(id)).toBeUndefined();
    expect(await place.rows("SELECT live FROM @workers WHERE id = $1", id)).toEqual([{ live: true }]);
    await place.rows(`ALTER ROLE ${role} LOGIN`);
    await eventually("it holds its lock again", async () => (await place.lockHolder(id)) !== undefined);
    child.tell("go");
    expect(await heir.client.get("a").result()).toBe("by the child");
    expect((await heir.store.read("a"))?.run.attempt).toBe(1);
  });

  test("F76: a step that takes five leases keeps its run", async () => {
    const place = new Place();
    const child = await childWith(place, "a", { leaseMs: 2_000 });
    const { expires_at: first } = await workerOf(place, child);
    const heir = new Heir(place);
    await heir.worker.start();
    await eventually("five leases pass", async () => (await nowOf(heir.store)) > first + 4 * 2_000);
    child.tell("go");
    expect(await heir.client.get("a").result()).toBe("by the child");
    expect(child.said("began")).toEqual(["a"]);
    expect((await heir.store.read("a"))?.run).toMatchObject({ attempt: 1, strikes: 0 });
  });
});

describe("many", () => {
  test("F65: 50 workers of 5 processes share 1,000 runs: each run has one owner, and one of each entry", async () => {
    const place = new Place();
    const store = place.open();
    await store.commit({ writes: Array.from({ length: 1_000 }, (_, n) => start(`run-${n}`)) });
    const children = Array.from({ length: 5 }, () => new Child("drain", place, { hands: 10 }));
    for (const child of children) await child.says("ready");
    const since = performance.now();
    for (const child of children) child.tell("go");
    const drained = await Promise.all(children.map(async (child) => Number(await child.says("drained"))));
    const seconds = (performance.now() - since) / 1_000;
    console.log(`50 workers of 5 processes: ${drained.join(" + ")} runs in ${seconds.toFixed(1)} s`);
    expect(drained.reduce((sum, count) => sum + count)).toBe(1_000);
    const owners = await place.rows(
      `SELECT count(*)::int AS runs, count(DISTINCT j.run)::int AS different, max(j.attempt)::int AS attempt
       FROM @journal j JOIN @runs r ON r.no = j.run AND r.ended = 'completed'`,
    );
    expect(owners).toEqual([{ runs: 1_000, different: 1_000, attempt: 1 }]);
    expect((await workersOf(place)).length).toBe(50);
  });

  test("an idle worker asks next to nothing", async () => {
    const place = new Place();
    const { proxy, url } = await linkTo(place);
    // Two, for each of them looks after the other.
    const workers = [1, 2].map(() => {
      const order = workflow({ name: "order" }, (_ctx, _input: number) => "done");
      return new Worker({ store: place.open({ over: url }), workflows: [order], logger });
    });
    for (const worker of workers) {
      await worker.start();
      onTestFinished(async () => void (await worker.stop()));
    }
    let requests = 0;
    const count = (): boolean => {
      requests += 1;
      return false;
    };
    proxy.dropRequest(count).catch(silent);
    let since = performance.now();
    await eventually("they have looked around", () => performance.now() - since > 3_000);
    [requests, since] = [0, performance.now()];
    await eventually("twenty seconds pass", () => performance.now() - since > 20_000);
    const perMinute = (requests / workers.length) * 3;
    console.log(`an idle worker asks ${perMinute.toFixed(0)} times a minute`);
    // A renewal every five seconds and a look for work every ten would be 18.
    expect(perMinute).toBeLessThan(40);
  });

  test("F62: 20 processes that start on an empty database at once migrate it once", async () => {
    const place = new Place();
    const since = performance.now();
    const children = Array.from({ length: 20 }, () => new Child("open", place));
    for (const child of children) {
      expect(await child.says("runs")).toBe("0");
      expect(await child.ends()).toBe(0);
    }
    console.log(
      `20 processes started on an empty database in ${((performance.now() - since) / 1_000).toFixed(1)} s`,
    );
    expect(await place.rows("SELECT count(*)::int FROM @meta WHERE key = 'schema'")).toEqual([{ count: 1 }]);
  });
});
