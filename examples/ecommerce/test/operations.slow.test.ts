import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Client, Worker, workflow } from "@everstep/core";
import { memoryStore } from "@everstep/core/testing";
import { type Browser, chromiumPath, openBrowser, type Page, whyNoBrowser } from "@everstep/browser";
import { TcpProxy } from "@everstep/postgres-server/tcp-proxy";
import axe from "axe-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Operations, startOperations } from "../src/operations/operations-server.ts";
import { runFigures } from "../src/run-figures.ts";
import { orderFigure, Tinybird } from "../src/tinybird.ts";
import { hasEngine, type LocalTinybird, localTinybird } from "./local-tinybird.ts";
import { madeUpDay, stuckFigure } from "./operations-day.ts";

const ANIMATION = "getComputedStyle(document.querySelector('.dot')).animationName";
const PICTURE = fileURLToPath(new URL("../../../docs/images/operations.png", import.meta.url));
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const isPossible = chromiumPath !== undefined && hasEngine;
const why = hasEngine ? whyNoBrowser : `${whyNoBrowser}skipped: there is no ClickHouse here, `;

describe.skipIf(!isPossible)(`${why}the page for operations, in Chromium, on ClickHouse`, () => {
  let browser: Browser;
  let tinybird: LocalTinybird;
  let proxy: TcpProxy;
  let page: Page;
  let operations: Operations;
  let completedAt: string;
  /** What the browser complained of, and what it asked others for. */
  let complaints: string[];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    complaints = [];
    completedAt = new Date().toISOString();
    tinybird = await localTinybird();
    proxy = await TcpProxy.start({ port: Number(new URL(tinybird.url).port) });
    const reader = new Tinybird({ url: `http://127.0.0.1:${proxy.port}`, token: "local_read" });
    operations = await startOperations({ tinybird: reader, port: 0, everyMs: 200 });
    page = await browser.newPage({ viewport: DESK });
    onTestFinished(async () => {
      await page.close();
      await operations.stop();
      await proxy.close();
    });
    const url = `http://127.0.0.1:${operations.port}`;
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (asked) => void (asked.url().startsWith(url) || complaints.push(asked.url())));
    await page.goto(url);
  });

  const tile = (label: string) => () =>
    page.locator(".tile", { hasText: label }).locator(".value").textContent();
  const stuck = () => page.locator(".stuck li");

  /** All of a test at one instant: it is part of what makes two rows the same. */
  async function order(orderId: string, totalCents: number): Promise<void> {
    const completed = { orderId, totalCents, userId: "u-1", chargeId: "ch-1", itemCount: 1, completedAt };
    await tinybird.writer.append("orders", [orderFigure(completed)]);
  }

  /** A run that meets a bug; what it ships reaches the page as every event does. Answers how to mend it. */
  async function stickRun(id: string): Promise<() => Promise<void>> {
    const store = memoryStore();
    let isFixed = false;
    const order = workflow({ name: "order" }, async (ctx) => {
      await ctx.step("reserve", () => "held");
      if (!isFixed) throw new TypeError("order.items is not iterable");
    });
    const ship = runFigures(tinybird.writer);
    const worker = new Worker({ store, workflows: [order], logger: silent, outbox: { ship } });
    await worker.start();
    onTestFinished(async () => void (await worker.stop()));
    const client = new Client({ store });
    const run = await client.start(order, undefined, { id });
    return async () => {
      isFixed = true;
      await client.runs.resume(id);
      await run.result();
    };
  }

  test("figures change on it as rows come, without a reload, and a row that comes twice is one order", async () => {
    await expect.poll(tile("Orders")).toBe("0");
    await page.evaluate("window.isSamePage = true");
    await order("o-1", 4_900);
    await order("o-1", 4_900);
    await expect.poll(tile("Revenue")).toBe("$49.00");
    await order("o-2", 10_100);
    await expect.poll(tile("Revenue")).toBe("$150.00");
    expect([await tile("Orders")(), await tile("Average order")()]).toEqual(["2", "$75.00"]);
    expect(await page.locator(".reading").first().textContent()).toMatch(/\d orders?$/);
    expect(await page.evaluate("window.isSamePage")).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("a run that needs a person is on it with the command that explains it, until it is mended", async () => {
    const mend = await stickRun("order-42");
    await expect.poll(() => stuck().count()).toBe(1);
    expect(await stuck().textContent()).toMatch(/order-42.*order.*BUG.*everstep why order-42/s);
    expect(await page.title()).toMatch(/^\(1\) /);
    await expect.poll(() => page.locator(".latency tbody tr").allTextContents()).toHaveLength(1);

    const { origin } = new URL(page.url());
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin });
    const button = page.getByRole("button", { name: "Copy the command that explains order-42" });
    await button.focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => button.textContent()).toContain("Copied");
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe("everstep why order-42");
    expect(await page.evaluate("document.activeElement.textContent")).toContain("Copied");

    await mend();
    await expect.poll(() => stuck().count()).toBe(0);
    await expect.poll(tile("Need a person")).toBe("0");
    expect(complaints).toEqual([]);
  });

  test("a hundred of them are listed, and that there are more is said", async () => {
    const rows = Array.from({ length: 102 }, (_, place) => stuckFigure(`order-${place}`));
    await tinybird.writer.append("run_events", rows);
    await expect.poll(tile("Need a person")).toBe("100+");
    expect(await stuck().count()).toBe(100);
    expect(await page.getByText("everstep list --status stuck").count()).toBe(1);
  });

  test("an id is text, whatever it holds", async () => {
    const id = `<img src=x onerror="document.title='owned'">\u{202e}'"\${7*7}</code><script>alert(1)</script>`;
    await stickRun(id);
    await expect.poll(() => stuck().count()).toBe(1);
    expect(await stuck().locator(".id").textContent()).toBe(id.replace("\u{202e}", String.raw`\u{202e}`));
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.title()).not.toContain("owned");
    expect(complaints).toEqual([]);
  });

  test("it says when the pipes don't answer and how old its figures are, and goes on once they do", async () => {
    await order("o-1", 4_900);
    await expect.poll(tile("Orders")).toBe("1");
    await proxy.refuse();
    proxy.cut();
    const said = page.getByRole("status").filter({ hasText: "The figures don’t answer" });
    await said.waitFor();
    await page.getByText(/What you see is [1-9]\d* s old/).waitFor();
    expect(await page.locator(".pill").textContent()).toContain("stale");
    expect(await tile("Orders")()).toBe("1");

    await order("o-2", 4_900);
    await proxy.accept();
    await expect.poll(tile("Orders")).toBe("2");
    await said.waitFor({ state: "detached" });
    expect(await page.locator(".pill").textContent()).toContain("live");
    expect(complaints).toEqual([]);
  });

  test("it says when its own server is gone, and finds it again", async () => {
    await order("o-1", 4_900);
    await expect.poll(tile("Orders")).toBe("1");
    await operations.stop();
    const said = page.getByRole("status").filter({ hasText: "This page has lost its server" });
    await said.waitFor();
    expect(await tile("Orders")()).toBe("1");
    await order("o-2", 4_900);
    operations = await startOperations({ tinybird: tinybird.reader, port: operations.port, everyMs: 200 });
    await expect.poll(tile("Orders")).toBe("2");
    await said.waitFor({ state: "detached" });
  });

  test.each(["light", "dark"] as const)(
    "everybody can read and use it, in the %s and on a phone",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await order("o-1", 4_900);
      await stickRun("order-with-a-long-id-that-some-other-system-made-up-0123456789-0123456789");
      await expect.poll(() => stuck().count()).toBe(1);
      await expect.poll(tile("Orders")).toBe("1");
      expect(await page.evaluate(ANIMATION)).toBe("none");
      for (const size of [DESK, PHONE]) {
        await page.setViewportSize(size);
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(size.width);
        expect(await violations(page)).toEqual([]);
      }
      await proxy.refuse();
      proxy.cut();
      await page.getByText("The figures don’t answer").waitFor();
      expect(await violations(page)).toEqual([]);
    },
  );

  test.skipIf(process.env["UPDATE_SCREENSHOT"] === undefined)("its picture for the README", async () => {
    const { orders, events, timezoneId } = madeUpDay(Date.now());
    page = await browser.newPage({ viewport: DESK, timezoneId, reducedMotion: "reduce" });
    await page.goto(`http://127.0.0.1:${operations.port}`);
    await tinybird.writer.append("orders", orders);
    await tinybird.writer.append("run_events", events);
    await expect.poll(() => stuck().count()).toBe(2);
    await expect.poll(() => page.locator(".latency tbody tr").count()).toBe(7);
    await expect.poll(tile("Failed steps")).not.toBe("–");
    const end = await page.locator("footer").boundingBox();
    const clip = { x: 0, y: 0, width: DESK.width, height: Math.ceil(end?.y ?? 0) };
    await page.screenshot({ path: PICTURE, fullPage: true, clip });
    expect(statSync(PICTURE).size).toBeLessThan(150_000);
  });
});

/** What axe-core finds against WCAG 2.2 AA. Not by a script of the page, which its policy would not run. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}
