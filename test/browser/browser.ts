/**
 * A real Chromium for tests, where the machine has one: `apt-get install chromium`, or its path in CHROMIUM. A test without it says so:
 *
 *     describe.skipIf(chromiumPath === undefined)(`${whyNoBrowser}the page`, …)
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";

export type { Browser, Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC = ["Chromium", "Google Chrome"].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);

/** The browser that is used, undefined where there is none. */
export const chromiumPath: string | undefined = findChromium();

/** For the names of tests that are skipped without it. */
export const whyNoBrowser = chromiumPath === undefined ? "skipped: there is no chromium here, " : "";

/** It asks nobody for updates or lists, so that all its requests are the page's. The one who opened it closes it. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-sync",
  "--no-first-run",
];

export async function openBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error("There is no chromium here: CHROMIUM can say where it is.");
  return chromium.launch({
    executablePath: chromiumPath,
    args: QUIET,
    // A browser of root's can't have its sandbox, and opens pages of this repository only.
    chromiumSandbox: process.getuid?.() !== 0,
  });
}

function findChromium(): string | undefined {
  const given = process.env["CHROMIUM"];
  if (given !== undefined && given !== "") return given;
  const folders = (process.env["PATH"] ?? "").split(process.platform === "win32" ? ";" : ":");
  const candidates = ["/usr/bin", ...folders].flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...candidates, ...MAC].find((path) => existsSync(path));
}
