import type { ReceivedMail } from "./mailbox.ts";

const SHOWN_MAX = 100;

/** The newest mails, for a browser. */
export function mailPage(mails: readonly ReceivedMail[]): string {
  const rows = mails.slice(-SHOWN_MAX).toReversed().map(rowOf).join("\n");
  return `<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Mail of the shop's customers</title>
<style>
  body { font: 14px/1.5 system-ui; margin: 2rem }
  td, th { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0 }
</style>
<h1>${mails.length} mails</h1>
<table>
<tr><th>at<th>to<th>subject<th>text<th>delivered
${rows}
</table>
`;
}

function rowOf({ at, to, subject, text, deliveries }: ReceivedMail): string {
  const cells = [at, to, subject, text, deliveries === 1 ? "once" : `${deliveries} times`];
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}`).join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
