/** F63, F64: a process is frozen at each of its calls for longer than its lease, while another one goes on; then it thaws. */
import { expect, test } from "vitest";
import { freezesOf, FULL_PARTS, oneIn, programsUpTo, report, Sweeper } from "../support/crash-sweep.ts";

test("a process that was frozen writes nothing and begins no body when it is thawed", {
  timeout: 600_000,
}, async () => {
  const sweeper = new Sweeper();
  for (const program of programsUpTo(2))
    await sweeper.singles(program, FULL_PARTS > 0 ? () => true : oneIn(2, program), freezesOf);
  const sweep = sweeper.done();
  console.log(report("zombies", sweep));
  expect(Object.keys(sweep.met).length).toBe(2);
});
