import { expect, test } from "vitest";
import { processClock, virtualClock } from "../src/testing/index.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("time stands still until it is advanced", async () => {
  const clock = virtualClock({ start: 5_000 });
  await turn();
  expect([clock.now(), clock.monotonic()]).toEqual([5_000, 0]);
  await clock.advance(1_500);
  expect([clock.now(), clock.monotonic()]).toEqual([6_500, 1_500]);
});

test("timers fire at their instants, in order; those of one instant in the order in which they were set", async () => {
  const clock = virtualClock({ start: 0 });
  const fired: [string, number][] = [];
  for (const [name, ms] of [
    ["c", 30],
    ["a", 10],
    ["b", 10],
    ["late", 31],
  ] as const) {
    clock.after(ms, () => fired.push([name, clock.now()]));
  }
  await clock.advance(30);
  expect(fired).toEqual([
    ["a", 10],
    ["b", 10],
    ["c", 30],
  ]);
  expect(clock.nextMs).toBe(1);
});

test("a timer of years fires after years", async () => {
  const clock = virtualClock({ start: 0 });
  let fired = 0;
  clock.after(2 ** 40, () => fired++);
  await clock.advance(2 ** 40 - 1);
  expect(fired).toBe(0);
  await clock.advance(1);
  expect(fired).toBe(1);
});

test("a timer may set another one that fires in the same advance", async () => {
  const clock = virtualClock({ start: 0 });
  const instants: number[] = [];
  const tick = (): void => {
    instants.push(clock.now());
    clock.after(10, tick);
  };
  clock.after(10, tick);
  await clock.advance(35);
  expect(instants).toEqual([10, 20, 30]);
});

test("what follows from one timer is done before the next fires", async () => {
  const clock = virtualClock({ start: 0 });
  const log: string[] = [];
  const follow = async (): Promise<void> => {
    await Promise.resolve();
    clock.macrotask(() => clock.macrotask(() => log.push(`followed at ${clock.now()}`)));
  };
  clock.after(1, () => void follow().catch(() => {}));
  clock.after(2, () => log.push("second"));
  await clock.advance(2);
  expect(log).toEqual(["followed at 1", "second"]);
});

test("a cancelled timer does not fire, also when another one of its instant cancels it", async () => {
  const clock = virtualClock();
  let fired = 0;
  const cancels: (() => void)[] = [];
  clock.after(5, () => cancels.forEach((cancel) => cancel()));
  cancels.push(clock.after(5, () => fired++));
  clock.after(1, () => fired++)();
  await clock.advance(10);
  expect([fired, clock.nextMs]).toEqual([0, null]);
});

test("what throws in a timer comes out of advance", async () => {
  const clock = virtualClock();
  clock.after(1, () => {
    throw new Error("oops");
  });
  await expect(clock.advance(1)).rejects.toThrow("oops");
});

test("two macrotasks that are asked for together run back to back, with only microtasks between", async () => {
  const clock = virtualClock();
  const log: string[] = [];
  setImmediate(() => log.push("before"));
  clock.macrotask(() => {
    log.push("first");
    queueMicrotask(() => log.push("microtask"));
    setImmediate(() => log.push("later"));
  });
  clock.macrotask(() => log.push("second"));
  setImmediate(() => log.push("after"));
  await turn();
  await turn();
  expect(log).toEqual(["before", "first", "microtask", "second", "after", "later"]);
});

test("work that never comes to rest is an error, not a hang", async () => {
  const clock = virtualClock();
  const spin = (): void => clock.macrotask(spin);
  spin();
  await expect(clock.advance(1)).rejects.toThrow("time stands still");
});

test("a clock that jumps moves no timer", async () => {
  const clock = virtualClock({ start: 1_000 });
  let fired = 0;
  clock.after(10, () => fired++);
  clock.jump(-500);
  expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
  clock.jump(1_000_000);
  await clock.advance(9);
  expect(fired).toBe(0);
  await clock.advance(1);
  expect(fired).toBe(1);
});

test("random numbers are the same for the same seed", () => {
  const draw = (seed: string): number[] => {
    const clock = virtualClock({ seed });
    return [clock.random(), clock.random(), clock.random()];
  };
  expect(draw("a")).toEqual(draw("a"));
  expect(draw("a")).not.toEqual(draw("b"));
});

test("of a killed process neither timers nor macrotasks fire, those of others do", async () => {
  const clock = virtualClock();
  const [dead, alive] = [processClock(clock), processClock(clock)];
  const log: string[] = [];
  for (const [name, process] of [
    ["dead", dead],
    ["alive", alive],
  ] as const) {
    process.after(5, () => log.push(`${name} timer`));
    process.macrotask(() => log.push(`${name} macrotask`));
  }
  dead.kill();
  dead.after(1, () => log.push("set after death"));
  dead.macrotask(() => log.push("asked after death"));
  await clock.advance(10);
  expect(log).toEqual(["alive macrotask", "alive timer"]);
  expect(clock.nextMs).toBeNull();
});

test("a process can die in a timer of its own", async () => {
  const clock = virtualClock();
  const process = processClock(clock);
  let fired = 0;
  process.after(1, () => process.kill());
  process.after(1, () => fired++);
  await clock.advance(5);
  expect(fired).toBe(0);
});

test("F48: a process may see another time than the others", () => {
  const clock = virtualClock({ start: 1_000 });
  const skewed = processClock(clock, { skewMs: -600 });
  expect([skewed.now(), skewed.monotonic(), clock.now()]).toEqual([400, 0, 1_000]);
});
