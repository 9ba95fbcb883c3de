/** I12, I19: what the code saw, in each of its passes, is what is journaled; and with the same journal it always does the same. */
import type { Entry } from "@everstep/core";
import type { Evidence, Watched } from "./evidence.ts";
import type { Case } from "./judge.ts";
import { type Deed, errorIn, valueOf } from "./reading.ts";

/** The passes of a run, compared with its journal. */
export interface Watching {
  /** When the code did this, compared with its other deeds. */
  orderOf(deed: Deed): number;
  /** Seq of the last entry that a pass had got after so many lines; `Infinity` when something it got never became durable. */
  positionOf(pass: number, lines: number): number;
  readonly passes: readonly Pass[];
  /** The one that saw most of the journal. */
  readonly longest: Pass;
  /** Lines of all that is to be got. */
  readonly expected: readonly Expected[];
}

interface Expected {
  readonly line: string;
  readonly seq: number;
}

interface Pass {
  readonly watched: Watched;
  /** After each line: the seq of the entry that it had got last. Ends where it got what never became durable. */
  readonly positions: readonly number[];
  readonly got: number;
}

export function watch(
  { passes: all }: Evidence,
  journal: readonly Entry[],
  deeds: readonly Deed[],
): Watching {
  const expected = expectedOf(journal, deeds);
  const patches = new Set(journal.filter(({ kind }) => kind === "patched").map(({ key }) => key));
  const passes = all.map((watched) => passOf(watched, expected, patches));
  const none: Pass = { watched: { pass: 0, durable: 0, lines: [] }, positions: [], got: 0 };
  const longest = passes.reduce(
    (best, pass) => (pass.positions.length > best.positions.length ? pass : best),
    none,
  );
  const order = new Map(longest.watched.lines.map((line, index) => [line, index]));
  const byNumber = new Map(passes.map((pass) => [pass.watched.pass, pass]));
  return {
    passes,
    longest,
    expected,
    orderOf: ({ kind, key }) => order.get(`ask ${kind} ${key}`) ?? -1,
    positionOf: (pass, lines) =>
      lines === 0 ? 0 : (byNumber.get(pass)?.positions[lines - 1] ?? Number.POSITIVE_INFINITY),
  };
}

function expectedOf(journal: readonly Entry[], deeds: readonly Deed[]): Expected[] {
  return deeds
    .filter(({ gotAt }) => gotAt < Number.POSITIVE_INFINITY)
    .toSorted((a, b) => a.gotAt - b.gotAt)
    .flatMap(({ gotAt }) => {
      const entry = journal[gotAt - 1];
      return entry === undefined ? [] : [{ line: lineOf(entry), seq: gotAt }];
    });
}

/** As the interpreter tells it. */
function lineOf(entry: Entry): string {
  const isSent = entry.kind === "emit" || entry.kind === "send";
  const text = errorIn(entry) ?? String(isSent ? undefined : valueOf(entry));
  return `got ${entry.key} ${entry.at} ${text}`;
}

function passOf(watched: Watched, expected: readonly Expected[], patches: ReadonlySet<string>): Pass {
  const positions: number[] = [];
  let got = 0;
  for (const line of watched.lines) {
    if (line.startsWith("got ") && line !== expected[got]?.line) break;
    // Nothing begins before that it was told so is durable; a later pass may be told otherwise until then.
    const patch = /^patched (\S+?)(?:#\d+)? true$/.exec(line)?.[1];
    if (patch !== undefined && !patches.has(patch)) break;
    if (line.startsWith("got ")) got += 1;
    positions.push(expected[got - 1]?.seq ?? 0);
  }
  return { watched, positions, got };
}

export function codeFindings({ evidence, reading, watching }: Case): string[] {
  const { passes, longest, expected } = watching;
  const findings: string[] = [];
  for (const pass of passes) {
    const { watched, positions, got } = pass;
    const fork = positions.findIndex((_, index) => watched.lines[index] !== longest.watched.lines[index]);
    if (fork !== -1)
      findings.push(
        `I12 pass ${watched.pass}: "${watched.lines[fork]}", another one: "${longest.watched.lines[fork]}"`,
      );
    // A pass may get what is not durable yet; but what was durable before it began, it got as it stood there.
    const odd = watched.lines[positions.length];
    const isKnown = (expected[got]?.seq ?? Number.POSITIVE_INFINITY) <= watched.durable;
    if (odd !== undefined && (isKnown || !evidence.faulty))
      findings.push(`I19 pass ${watched.pass}: "${odd}", journaled is "${expected[got]?.line ?? "nothing"}"`);
  }
  if (longest.got !== expected.length)
    findings.push(`I19 no pass got more than ${longest.got} of ${expected.length} entries`);
  return [...findings, ...deedFindings(reading.deeds, longest)];
}

/** What the code did, and when: as it follows from the program and the journal. */
function deedFindings(deeds: readonly Deed[], { watched, positions }: Pass): string[] {
  const due = new Map(deeds.map((deed) => [nameOf(deed), deed.at]));
  const findings: string[] = [];
  for (const [index, position] of positions.entries()) {
    const name = /^(?:ask .+|(?:won|patched|tagged|drew) \S+(?: \d+$)?)/.exec(
      watched.lines[index] ?? "",
    )?.[0];
    if (name === undefined) continue;
    const at = due.get(name);
    due.delete(name);
    if (at !== position) findings.push(`I19 "${name}" came after entry ${position}, not ${at}`);
  }
  return [...findings, ...[...due.keys()].map((name) => `I19 "${name}" was seen in no pass`)];
}

function nameOf({ kind, key }: Deed): string {
  const isAtOnce = kind === "won" || kind === "patched" || kind === "tagged" || kind === "drew";
  return isAtOnce ? `${kind} ${key}` : `ask ${kind} ${key}`;
}
