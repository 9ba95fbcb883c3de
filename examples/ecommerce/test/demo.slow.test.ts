import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { ENGINE_ADVICE, engineIsInstalled } from "../src/stand-ins/tinybird/engine.ts";

const demo = fileURLToPath(new URL("../src/demo.ts", import.meta.url));

async function runDemo(...options: string[]): Promise<{ code: number | null; output: string }> {
  const flags = ["--conditions=@everstep/source", demo];
  const child = spawn(process.execPath, [...flags, ...options], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill());
  const closed = once(child, "close");
  const output = await Promise.all([text(child.stdout), text(child.stderr)]);
  await closed;
  return { code: child.exitCode, output: output.join("") };
}

/** The demo installs ClickHouse where it is missing; a developer's tests don't. */
function figures(): string[] {
  if (engineIsInstalled() || process.env["CI"] !== undefined) return [];
  console.warn(`The demo's day is tested without ClickHouse, which is not installed: ${ENGINE_ADVICE}`);
  return ["--no-figures"];
}

describe.for([
  ["on SQLite", [], /6 × SIGKILL: [1-9]/],
  // One of its kills hits all four processes.
  ["with four processes on Postgres", ["--postgres"], /9 × SIGKILL, among 4 processes: [1-9]/],
] as const)("a short day of crashes %s", ([, options, kills]) => {
  test("leaves the books in balance (F5, I1, I4, I5, I6, I8)", async () => {
    const seed = process.env["EVERSTEP_SEED"] ?? String(Math.floor(Math.random() * 1_000_000));
    const { code, output } = await runDemo(seed, "--orders", "80", "--kills", "6", ...figures(), ...options);
    expect(code, `EVERSTEP_SEED=${seed}\n${output}`).toBe(0);
    expect(output).toContain("The books balance.");
    expect(output).toMatch(kills);
    expect(output).toMatch(/mails {5}received [1-9]/);
    expect(output).toMatch(/figures {3}orders [1-9]/);
  });
});

test("an option that makes no sense is refused", async () => {
  const { code, output } = await runDemo("--kills", "many");
  expect(code).toBe(2);
  expect(output).toContain("usage");
});
