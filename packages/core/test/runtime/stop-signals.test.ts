/** F17, F18: what a deploy sends to a process, and what the process answers. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const CHILD = fileURLToPath(new URL("./stop-signals-child.ts", import.meta.url));

/** A process in the middle of a body. */
async function inBody(grace: string): Promise<{ readonly child: ChildProcess; readonly said: string[] }> {
  const child = spawn(process.execPath, ["--conditions=@everstep/source", CHILD, grace], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface(child.stdout);
  const said: string[] = [];
  lines.on("line", (line) => said.push(line));
  await once(lines, "line");
  return { child, said };
}

test.skipIf(process.platform === "win32").each(["SIGTERM", "SIGINT"] as const)(
  "F17: after %s bodies have their grace, then they are aborted, and the process dies of the signal",
  async (signal) => {
    const { child, said } = await inBody("100ms");
    child.kill(signal);
    expect(await once(child, "close")).toEqual([null, signal]);
    expect(said).toEqual(["began", "aborted"]);
  },
);

test.skipIf(process.platform === "win32").each([
  ["SIGTERM", "SIGTERM", 143],
  ["SIGTERM", "SIGINT", 130],
] as const)("F18: %s and then %s ends the process at once, with code %i", async (first, second, code) => {
  const { child, said } = await inBody("1h");
  child.kill(first);
  // Sent together they may arrive as one, or in the other order.
  const again = setInterval(() => child.kill(second), 50);
  onTestFinished(() => clearInterval(again));
  expect(await once(child, "close")).toEqual([code, null]);
  expect(said).toEqual(["began"]);
});
