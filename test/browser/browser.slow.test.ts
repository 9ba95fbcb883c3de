import { describe, expect, test } from "vitest";
import { chromiumPath, openBrowser, whyNoBrowser } from "./browser.ts";

describe.skipIf(chromiumPath === undefined)(`${whyNoBrowser}the browser`, () => {
  test("runs a page and its script", async () => {
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      await page.setContent(
        "<p>before</p><script>document.querySelector('p').textContent = 'after'</script>",
      );
      expect(await page.textContent("p")).toBe("after");
    } finally {
      await browser.close();
    }
  });
});
