/** The generated programs, their interpreter and their judge. EVERSTEP_SEED=n repeats what was drawn. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { canonical } from "./programs/canonical.ts";
import type { Evidence } from "./programs/evidence.ts";
import { FAMILY_FALSIFICATIONS } from "./programs/falsified-families.ts";
import { ROW_FALSIFICATIONS } from "./programs/falsified-rows.ts";
import { type Draft, FALSIFICATIONS, HONEST } from "./programs/falsified.ts";
import { ALPHABET, NODES_MAX, programs, programsUpTo, WORDS } from "./programs/generate.ts";
import { judge } from "./programs/judge.ts";
import { lawful } from "./programs/lawful.ts";
import { formatProgram, parseProgram } from "./programs/line.ts";
import { type Program, sizeOf } from "./programs/program.ts";
import { type Deaths, evidenceOf } from "./programs/small-lab.ts";
import { SEED } from "./sizes.ts";

const REPEAT = `EVERSTEP_SEED=${SEED}`;
const DRAWN = 300;
/** For a machine that is busy with other tests; alone it takes two seconds. */
const PATIENCE_MS = 60_000;
const CRASHED = 60;
/** Each word is to be met this often among the programs that are drawn. */
const MET_MIN = 3;

const drawn = fc.sample(programs, { seed: SEED, numRuns: DRAWN });

async function findingsOf(program: Program, deaths: Deaths): Promise<string[]> {
  const evidence = await evidenceOf(program, deaths);
  const line = `${REPEAT} ${formatProgram(program)} ${JSON.stringify(deaths)}`;
  return judge(program, evidence).map((finding) => `${line}: ${finding}`);
}

describe("programs", () => {
  it("are drawn lawful, small, and of every kind of statement", () => {
    const met = new Map(WORDS.map((word) => [word, 0]));
    for (const program of drawn) {
      expect(sizeOf(program)).toBeLessThanOrEqual(NODES_MAX);
      expect(lawful(program), `${REPEAT} ${formatProgram(program)}`).toEqual(program);
      for (const word of new Set(formatProgram(program).match(/[a-z-]+/g)))
        met.set(word, (met.get(word) ?? 0) + 1);
    }
    const rare = [...met].filter(([, times]) => times < MET_MIN);
    expect(rare, `${REPEAT}: too rare`).toHaveLength(0);
  });

  it("are parsed back from their line", () => {
    for (const program of drawn) expect(parseProgram(formatProgram(program))).toEqual(program);
    expect(() => parseProgram("[ok")).toThrow("] expected, not the end");
    expect(() => parseProgram("[okay]")).toThrow("okay is no statement");
    expect(() => parseProgram("[(both [ok])]")).toThrow("both is no statement with blocks");
  });

  it("shrink to small ones", () => {
    const found = fc.check(
      fc.property(programs, (program) => !formatProgram(program).includes("contest")),
      { seed: SEED, numRuns: 1000 },
    );
    const shrunk = found.counterexample?.[0] ?? [];
    expect(sizeOf(shrunk), `${REPEAT} ${formatProgram(shrunk)}`).toBeLessThanOrEqual(10);
  });

  it("are all there up to four statements, each once", () => {
    const lines = new Set<string>();
    let count = 0;
    for (const program of programsUpTo(4)) {
      lines.add(formatProgram(program));
      count += 1;
    }
    expect(count).toBe(185_262);
    expect(lines.size).toBe(count);
    for (const statement of Object.values(ALPHABET)) expect(lawful(statement)).toEqual(statement);
  });
});

describe("the judge", () => {
  it("finds nothing wrong with programs that nothing disturbs", { timeout: PATIENCE_MS }, async () => {
    const findings: string[] = [];
    const ends = new Set<string | null>();
    for (const program of drawn) {
      const evidence = await evidenceOf(program);
      ends.add(evidence.run.end);
      findings.push(
        ...judge(program, evidence).map((finding) => `${REPEAT} ${formatProgram(program)}: ${finding}`),
      );
    }
    expect(findings).toEqual([]);
    expect(ends).toEqual(new Set(["canceled", "completed", "failed"]));
  });

  it("finds nothing wrong with programs whose process dies, and finds them equal to those that were left alone", {
    timeout: PATIENCE_MS,
  }, async () => {
    const findings: string[] = [];
    for (const [index, program] of drawn.slice(0, CRASHED).entries()) {
      const deaths: Deaths = [
        { at: 2 + (index % 9), when: index % 2 === 0 ? "before" : "after" },
        { at: 3 + (index % 4), when: index % 3 === 0 ? "before" : "after" },
      ];
      findings.push(...(await findingsOf(program, deaths)));
      const [calm, crashed] = [await evidenceOf(program), await evidenceOf(program, deaths)];
      expect(
        canonical(program, crashed),
        `${REPEAT} ${formatProgram(program)} ${JSON.stringify(deaths)}`,
      ).toEqual(canonical(program, calm));
    }
    expect(findings).toEqual([]);
  });
});

const ALL_FALSIFICATIONS = [...FALSIFICATIONS, ...FAMILY_FALSIFICATIONS, ...ROW_FALSIFICATIONS];

describe("a judge that is given false evidence", () => {
  const honest = new Map<keyof typeof HONEST, Evidence>();

  beforeAll(async () => {
    for (const [name, line] of Object.entries(HONEST))
      honest.set(name as keyof typeof HONEST, await evidenceOf(parseProgram(line)));
  });

  it.each(Object.keys(HONEST) as (keyof typeof HONEST)[])(
    "has nothing against the honest one: %s",
    (name) => {
      const evidence = honest.get(name);
      expect(evidence && judge(parseProgram(HONEST[name]), evidence)).toEqual([]);
    },
  );

  it("excuses a body that began late in a process that had been frozen", () => {
    const draft = structuredClone(honest.get("undone")) as unknown as Draft;
    const [first] = draft.executions;
    draft.faulty = true;
    draft.executions.push(Object.assign({}, first, { durable: draft.run.journal.length, token: "late" }));
    const late = draft.executions.at(-1);
    const program = parseProgram(HONEST.undone);
    expect(judge(program, draft)).not.toEqual([]);
    Object.assign(late ?? {}, { thawed: true });
    expect(judge(program, draft)).toEqual([]);
  });

  it("excuses a transaction that began when its run was another's, and left nothing", () => {
    const draft = structuredClone(honest.get("writing")) as unknown as Draft;
    const own = draft.executions.find(({ kind }) => kind === "transaction");
    draft.faulty = true;
    draft.executions.push(Object.assign({}, own, { durable: draft.run.journal.length, token: "late" }));
    const program = parseProgram(HONEST.writing);
    expect(judge(program, draft)).toEqual([]);
    draft.rows.push("late");
    expect(judge(program, draft)).not.toEqual([]);
  });

  it.each(ALL_FALSIFICATIONS.map((one, index) => ({ ...one, number: index + 1 })))(
    "says $finding (no. $number, $of)",
    ({ finding, of, falsify }) => {
      const draft = structuredClone(honest.get(of)) as unknown as Draft;
      falsify(draft);
      const findings = judge(parseProgram(HONEST[of]), draft);
      expect(
        findings.filter((line) => line.startsWith(finding)),
        `only ${findings.join()}`,
      ).not.toEqual([]);
    },
  );
});
