/** What follows the tutorial notices when page and product part. */
import { describe, expect, test } from "vitest";
import { actionsOf, edited } from "./tutorial-page.ts";
import { seen } from "./tutorial-shown.ts";

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\`\n`;
const page = (text: string): { path: string; text: string } => ({ path: "docs/a.md", text });

test("a page is what its reader does, in order", () => {
  const text = [
    `\`a.ts\`:\n<!-- file: a.ts -->\n${fence("ts", "a;")}`,
    `<!-- run in: bank -->\n${fence("sh", "node a.ts")}`,
    `<!-- run -->\n${fence("sh", "ls")}`,
    `<!-- shows -->\n${fence("text", "a.ts")}`,
  ].join("\n");
  expect(actionsOf(page(text))).toEqual([
    { at: "docs/a.md:2", is: "file", path: "a.ts", text: "a;\n" },
    { at: "docs/a.md:7", is: "run", terminal: "bank", how: "stays", text: "node a.ts\n" },
    { at: "docs/a.md:12", is: "run", terminal: "typing", how: "ends", text: "ls\n" },
    { at: "docs/a.md:17", is: "shows", terminal: "typing", text: "a.ts\n" },
  ]);
});

test("a fence that nobody says how to take is an error, and so is a remark that makes no sense", () => {
  expect(() => actionsOf(page(`# A\n\n${fence("ts", "a;")}`))).toThrow("docs/a.md:3: what is to be done");
  expect(() => actionsOf(page(`<!-- run: perhaps -->\n${fence("sh", "ls")}`))).toThrow("makes no sense");
});

test("a file whose name only a remark says is an error; edits of one file may follow each other", () => {
  const edit = `<!-- edit: a.ts -->\n${fence("diff", "+a;")}`;
  expect(() => actionsOf(page(`Now:\n\n${edit}`))).toThrow("docs/a.md:3: nothing that is visible");
  expect(actionsOf(page(`In \`a.ts\`:\n\n${edit}\n${edit}`))).toHaveLength(2);
});

test("an edit puts lines in the place of others, and finds them once or not at all", () => {
  const diff = " a;\n-b;\n+c;\n+d;\n\n e;\n";
  expect(edited("x;\na;\nb;\n\ne;\n", diff)).toBe("x;\na;\nc;\nd;\n\ne;\n");
  expect(() => edited("a;\ne;\n", diff)).toThrow("are there 0 times");
  expect(() => edited("a;\na;\n", "-a;\n+b;\n")).toThrow("are there 2 times");
});

describe("what a terminal shows is what the page says", () => {
  const same: readonly (readonly [what: string, page: string, terminal: string])[] = [
    [
      "but for times and durations",
      "a1 2026-11-26T03:48:02.973Z (8.1s ago)",
      "a1 2027-01-01T00:00:00.001Z (12s ago)",
    ],
    ["but for the width of columns", "RUN    STATUS\na  12ms  -", "RUN  STATUS\na   7ms  -"],
    ["but for where a cell is cut off", "a  failed: the card was …", "a  failed: the card wa…"],
    ["and what stands for any lines may be any", "…\nb\n…", "a\na\nb\nc"],
    ["and what stands for any lines may be none", "…\nb\n…", "b\n"],
  ];
  test.for(same)("%s", ([, shown, terminal]) => {
    expect(seen(shown, terminal)?.rest.trim()).toBe("");
  });

  const other: readonly (readonly [what: string, page: string, terminal: string])[] = [
    ["another word", "a1 completed", "a1 failed"],
    ["a line before", "b", "a\nb"],
    ["a line less", "a\nb", "a\n"],
    ["another number that does not vary", "step charge failed 5 times", "step charge failed 6 times"],
  ];
  test.for(other)("not with %s", ([, shown, terminal]) => {
    expect(seen(shown, terminal)).toBeUndefined();
  });

  test("and what comes after it is left for the next look", () => {
    expect(seen("a", "a\nb\n")?.rest).toBe("b\n");
  });

  test("and the process that the page names is that of this machine from then on", () => {
    expect(seen("process 4711\nok", "process 99\nok\n")?.learnt).toEqual(new Map([["4711", "99"]]));
  });
});
