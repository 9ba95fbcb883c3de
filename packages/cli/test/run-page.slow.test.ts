/** `show --html` in a real browser: what matters is seen, at every width, and nothing of the data does anything. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromiumPath, openBrowser, type Page, whyNoBrowser } from "@everstep/browser";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Onlooker } from "./support/onlooker.ts";
import { importShownRuns, NOON } from "./support/shown-runs.ts";

const EVIL = `</style></script><script>document.title = "owned"</script><img src="http://127.0.0.1:9/x" onerror="document.title = 'owned'"><a href="javascript:alert(1)">`;
const LONG = `step-${"of-a-name-without-an-end-".repeat(8)}`;
const STEPS = 300;

const SIZES = [
  { width: 390, height: 844 },
  { width: 1280, height: 900 },
] as const;

async function withPages(): Promise<Onlooker> {
  const onlooker = new Onlooker("sqlite", { now: NOON });
  const { client } = onlooker;
  await importShownRuns(client);
  const failed = JSON.stringify(await client.runs.export("order-2")).replaceAll("order-2", "evil");
  await client.runs.import(
    failed.replaceAll("declined", JSON.stringify(JSON.stringify(EVIL).slice(1, -1)).slice(1, -1)),
  );
  const long = await client.runs.export("order-1");
  const [first] = long.journal;
  const steps = Array.from({ length: STEPS }, (_, at) => ({
    ...first,
    seq: at + 1,
    kind: "step",
    key: at === 0 ? LONG : `line#${at + 1}`,
  }));
  const end = { ...long.journal.at(-1), seq: STEPS + 1 };
  await client.runs.import(
    JSON.parse(JSON.stringify({ ...long, journal: [...steps, end] }).replaceAll("order-1", "long")),
  );
  return onlooker;
}

describe.skipIf(chromiumPath === undefined)(`${whyNoBrowser}the page of a run`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  /** All that it asked for beside itself is kept. */
  async function open(
    onlooker: Onlooker,
    id: string,
    look: Parameters<Browser["newContext"]>[0],
  ): Promise<{ readonly page: Page; readonly asked: readonly string[] }> {
    const name = `${id.replaceAll("/", "-")}.html`;
    const url = pathToFileURL(join(onlooker.cwd, name)).href;
    if ((await onlooker.look(["show", id, "--html", name])).code === 1) throw new Error(`no page of ${id}`);
    const context = await browser.newContext(look);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("dialog", (dialog) => asked.push(`dialog ${dialog.message()}`));
    await page.goto(url, { waitUntil: "load" });
    return { page, asked: asked.filter((one) => one !== url) };
  }

  test.each(SIZES)("fits $width pixels, and says what matters", async (viewport) => {
    const onlooker = await withPages();
    const expected = [
      ["order-1", ["completed", "charge", "send-mail", "1m 5s", "customer=ada"]],
      ["order-2", ["failed", "declined once", "the bank is back"]],
      [
        "order-3",
        ["stuck", "IN_DOUBT", "failed 2×", "order-3/packing", "everstep resolve order-3 charge --rerun"],
      ],
      ["order-3/packing", ["paused", "stock is counted"]],
      ["long", [LONG, `line#${STEPS}`]],
    ] as const;
    for (const [id, texts] of expected) {
      const { page, asked } = await open(onlooker, id, { viewport });
      for (const text of texts)
        expect(
          await page.getByText(text).filter({ visible: true }).count(),
          `${id}: ${text}`,
        ).toBeGreaterThan(0);
      expect(await page.evaluate("document.documentElement.scrollWidth"), `the page of ${id}`).toBe(
        viewport.width,
      );
      expect(asked).toEqual([]);
    }
  });

  test("S5: what is in the data does nothing, and asks for nothing", async () => {
    const onlooker = await withPages();
    const { page, asked } = await open(onlooker, "evil", { viewport: SIZES[1] });
    expect(await page.title()).toBe("evil: failed");
    expect(await page.locator("script, img, a, iframe, object, [onerror]").count()).toBe(0);
    expect(
      await page.getByText("</style></script><script>").filter({ visible: true }).count(),
    ).toBeGreaterThan(0);
    expect(asked).toEqual([]);
  });

  test("is dark where everything is", async () => {
    const onlooker = await withPages();
    const background = async (colorScheme: "light" | "dark"): Promise<unknown> => {
      const { page } = await open(onlooker, "order-3", { colorScheme });
      return page.evaluate("getComputedStyle(document.body).backgroundColor");
    };
    expect([await background("light"), await background("dark")]).toEqual([
      "rgb(251, 251, 250)",
      "rgb(21, 23, 26)",
    ]);
  });
});
