/** The proof as a page. */
import { type ChaosProof, type Proof, violationsIn } from "./proof.ts";
import { crashesIn, sumOf } from "./simulated/tally.ts";

const figure = (count: number): string => count.toLocaleString("en-US");

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => (typeof cell === "number" ? figure(cell) : cell.replaceAll("|", "\\|"))).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

export function pageOf(proof: Proof): string {
  const { form, at, machine } = proof;
  const violations = violationsIn(proof);
  const sections = [
    ...simulatedText(proof),
    ...chaosText("SQLite", proof.sqlite),
    ...chaosText("Postgres", proof.postgres),
    ...differentialText(proof),
    ...mutantsText(proof),
    ...LIMITS,
  ];
  return `${[
    "# Proof",
    `What the campaigns against everstep have shown. This page and \`proof.json\` beside it are written by \`npm run proof\` (minutes) and
\`npm run proof -- --long\` (an hour and a half); every part is repeated by its seed. What the invariants mean is in
[guarantees](guarantees.md#what-the-crash-tests-check); how to crash workflows of your own, in [testing](testing.md#crash-tests).`,
    `The ${form} form, ${at.slice(0, 10)}, ${machine}. Each part names the commit that it tried, and its seed.`,
    `**Violations: ${violations.length}**`,
    ...violations.map((violation) => `- ${violation}`),
    contentsOf(sections),
    ...sections,
  ].join("\n\n")}\n`;
}

function contentsOf(sections: readonly string[]): string {
  const headings = sections.flatMap((text) => /^## (.+)$/.exec(text)?.[1] ?? []);
  return headings
    .map((heading) => `- [${heading}](#${heading.toLowerCase().replaceAll(" ", "-")})`)
    .join("\n");
}

const PART_NAMES: Readonly<Record<string, string>> = {
  exhaustive: "all programs up to a length, every single fault",
  steps: "all programs of nothing but steps up to a length, every single fault",
  sampled: "longer programs, a part of the single faults",
  settings: "one run at a time in memory; no hints",
  pairs: "every crash of every recovery",
  drawn: "drawn programs, a part of the single faults",
  series: "drawn programs, crash after crash",
  simulations: "several workers and programs at once, everything breaks",
  repairs: "the same, and persons pause, retry and rewind runs",
};

function simulatedText({ simulated }: Proof): string[] {
  if (simulated === undefined) return [];
  const parts = Object.entries(simulated);
  const all = sumOf(Object.values(simulated));
  const rows = parts.map(([part, { programs, runs, faults, violations, seconds, commit, seed }]) => [
    PART_NAMES[part] ?? part,
    programs,
    runs,
    crashesIn(faults),
    Object.values(faults).reduce((sum, count) => sum + count, 0) - crashesIn(faults),
    violations.length,
    `${seconds} s`,
    commit,
    seed,
  ]);
  return [
    "## Simulated crashes",
    `Workflow programs in simulated processes that die before and after every call of the store and every effect, lose answers, freeze beyond their lease and
come back: **${figure(crashesIn(all.faults))} crashes** in ${figure(all.runs)} runs. After each, a judge compares the journal with the program, the effects and what the code saw.`,
    table(
      ["what", "programs", "runs", "crashes", "other faults", "violations", "took", "commit", "seed"],
      rows,
    ),
    table(
      ["fault", "times"],
      Object.entries(all.faults).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
    table(
      ["way that runs went", "runs"],
      Object.entries(all.branches).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  ];
}

function chaosText(store: string, proof: ChaosProof | undefined): string[] {
  if (proof === undefined) return [];
  const { summary, zombies, violations, seconds, commit, seed } = proof;
  return [
    `## Real kills on ${store}`,
    `Worker processes killed with SIGKILL at random, between an effect and its journal entry, and at each kind of call of the store; frozen, stopped and cut off, while callers
start, signal and cancel runs and operators resume them. A ledger in another process knows of every effect. **${figure(summary["kills"] ?? 0)} kills**, ${figure(violations.length)} violations, ${seconds} s, commit ${commit}, seed ${seed}.`,
    table(
      ["what happened", "times"],
      [...Object.entries(summary), ["bodies that a frozen process began when it woke up (P2)", zombies]],
    ),
  ];
}

function differentialText({ differential }: Proof): string[] {
  if (differential === undefined) return [];
  const { programs, crashes, violations, seconds, commit, seed } = differential;
  const died = Object.entries(crashes).map(([store, count]) => `${count} on ${store}`);
  return [
    "## The same on every store",
    `${figure(programs)} drawn programs came to the same on the memory store without faults, and on each store while its processes died (${died.join(", ")}): status, result,
outcomes of steps, what was undone, which waits were answered. Violations: ${violations.length}; ${seconds} s, commit ${commit}, seed ${seed}.`,
  ];
}

function mutantsText({ mutants }: Proof): string[] {
  if (mutants === undefined) return [];
  const { verdicts, seconds, commit, seed } = mutants;
  const killed = verdicts.filter((verdict) => verdict.killed);
  return [
    "## Mutants",
    `Would the judge notice? Engines with one mistake each, made in memory only: **${killed.length} of ${verdicts.length}** were caught by the simulated campaign, ${seconds} s, commit ${commit}, seed ${seed}.`,
    table(
      ["an engine that …", "broke", "found by"],
      verdicts.map(({ does, by, part }) => [does, by === "" ? "**not caught**" : by, part ?? ""]),
    ),
  ];
}

const LIMITS = [
  "## What this does not show",
  `- Power cuts: a SIGKILL loses nothing that the kernel has; what \`fsync\` promises is the disk's to keep.
- Hosts that lose each other: all processes ran on one machine.
- Effects in systems that forget idempotency keys.
- Schedules, which are not there yet.`,
];
