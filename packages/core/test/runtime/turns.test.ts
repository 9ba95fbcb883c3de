/** E1: what is decided is delivered, each in a turn of its own, before anything that is decided later. */
import { expect, test } from "vitest";
import { Turns } from "../../src/runtime/turns.ts";
import { virtualClock } from "../../src/testing/index.ts";

test("what was to be a turn comes before work that was asked for earlier", async () => {
  const clock = virtualClock();
  const seen: string[] = [];
  const turns = new Turns(clock, (mayDeliver) => seen.push(mayDeliver ? "deliver" : "look"));
  turns.wake();
  turns.run(() => seen.push("start"));
  await clock.advance(0);
  expect(seen).toEqual(["start", "look", "deliver", "look"]);
});

test("each is a turn of its own, in the order in which they were asked for", async () => {
  const clock = virtualClock();
  const seen: string[] = [];
  const turns: Turns = new Turns(clock, () => seen.push(turns.inTurn ? "in a turn" : "between"));
  for (const name of ["a", "b"])
    turns.run(() => {
      seen.push(name);
      queueMicrotask(() => seen.push(`${name} goes on ${turns.inTurn ? "in its turn" : "too late"}`));
    });
  await clock.advance(0);
  expect(seen).toEqual(["a", "a goes on in its turn", "between", "b", "b goes on in its turn", "between"]);
});

test("being woken again while it is about to work changes nothing", async () => {
  const clock = virtualClock();
  let works = 0;
  const turns = new Turns(clock, () => {
    works += 1;
  });
  turns.wake();
  turns.wake();
  expect(turns.prepared).toBe(true);
  await clock.advance(0);
  expect([works, turns.prepared]).toEqual([2, false]);
});
