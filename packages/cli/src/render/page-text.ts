/** Text as HTML: nothing that came from data is ever anything but text (S5). */

/** Also in an attribute's value between double quotes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Longer values are folded. */
const SHOWN_MAX = 160;

export function valueHtml(text: string): string {
  if (text.length <= SHOWN_MAX) return `<span class="data">${escaped(text)}</span>`;
  // A cut between the halves of one character would show neither.
  const beginning = Array.from(text.slice(0, SHOWN_MAX / 2))
    .slice(0, -1)
    .join("");
  return `<details><summary class="data">${escaped(beginning)}…</summary><div class="data">${escaped(text)}</div></details>`;
}
