/**
 * F126: what any release has written, every later one goes on with. `UPDATE_GOLDEN=1 npm test -- golden` writes the journals of
 * this version; those of older versions are never written again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { isByPerson, type Recording, Stage } from "./recording.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";

const UPDATE = "UPDATE_GOLDEN=1 npm test -- golden";
const HERE = new URL(".", import.meta.url);
const VERSIONS = readdirSync(HERE).filter((name) => /^\d/.test(name));

const fileOf = (version: string, name: string): URL => new URL(`${version}/${name}.json`, HERE);

interface Kept {
  readonly version: string;
  readonly name: string;
  readonly scenario: Scenario;
  readonly recording: Recording;
}

/** Scenarios that came later are in no older version. */
function keptOf(version: string): Kept[] {
  return Object.entries(SCENARIOS).flatMap(([name, scenario]) => {
    const file = fileOf(version, name);
    if (!existsSync(file)) return [];
    return [{ version, name, scenario, recording: JSON.parse(readFileSync(file, "utf8")) as Recording }];
  });
}

test.each(Object.entries(SCENARIOS))(
  "this build writes the journal of %s that its version kept",
  async (name, scenario) => {
    const recorded = await new Stage(scenario).record();
    if (process.env["UPDATE_GOLDEN"] === "1") {
      mkdirSync(new URL(`${manifest.version}/`, HERE), { recursive: true });
      writeFileSync(fileOf(manifest.version, name), `${JSON.stringify(recorded, undefined, 2)}\n`);
    }
    const kept = keptOf(manifest.version).find((other) => other.name === name)?.recording;
    expect(recorded, `another format, which has to read the older ones: ${UPDATE}`).toEqual(kept);
  },
);

test("every kind of entry is in the journals that are kept", () => {
  const kinds = keptOf(manifest.version).flatMap(({ recording }) =>
    recording.journal.map(({ kind }) => kind),
  );
  expect([...new Set(kinds)].toSorted()).toEqual(
    "call cancel child drop emit end patched pivot reset resume send signal start started step timer undo unwinding".split(
      " ",
    ),
  );
});

const shapeOf = (journal: Recording["journal"]): string[] =>
  journal.map((entry) => (isByPerson(entry) ? entry.kind : `${entry.kind} ${entry.key}`));

/** The message of an error is what counts: its stack is of the process that made it. */
const messageOf = (error: string | null): unknown =>
  error === null ? null : (JSON.parse(error) as { readonly message: unknown }).message;

function expectSameEnd({ run }: Stage, recording: Recording): void {
  expect(shapeOf(run.journal)).toEqual(shapeOf(recording.journal));
  const { end, result, error } = recording.end;
  expect({ ...run, error: messageOf(run.error) }).toMatchObject({ end, result, error: messageOf(error) });
}

describe.each(VERSIONS.flatMap(keptOf))(
  "F126: the journal of $name that $version wrote",
  ({ scenario, recording }) => {
    test("F92 I12: replays to the same end, without any body", async () => {
      const journal = recording.journal.filter(({ kind }) => kind !== "end");
      const [last] = recording.moments.slice(-1);
      if (last === undefined) throw new Error("nothing was recorded before its end");
      const stage = new Stage(scenario);
      await stage.restore({ ...recording, journal }, { ...last, entries: journal.length, retries: [] });
      await stage.goOn((await stage.world.worker(stage.workflows)).client);
      expect(stage.began).toEqual([]);
      expectSameEnd(stage, recording);
    });

    test.each(recording.moments.map((moment, index) => [index + 1, moment] as const))(
      "is gone on with when its worker was stopped after commit %i",
      async (_, moment) => {
        const stage = new Stage(scenario);
        await stage.restore(recording, moment);
        await stage.goOn((await stage.world.worker(stage.workflows)).client);
        const settled = shapeOf(recording.journal.slice(0, moment.entries));
        const again = stage.began.filter(({ key }) => settled.includes(entryOf(key)));
        expect(again, "I4: bodies that had settled").toEqual([]);
        for (const { key, failures } of moment.stuck === null ? moment.retries : [])
          expect(stage.began.find((body) => body.key === bodyOf(key))).toMatchObject({
            attempt: failures + 1,
          });
        expectSameEnd(stage, recording);
      },
    );
  },
);

/** `charge#undo`, which is the row of the undo → `golden/charge/undo`. */
function bodyOf(rowKey: string): string {
  return `golden/${rowKey.replace(/#undo$/, "/undo")}`;
}

/** `golden/charge/undo` → `undo charge`. */
function entryOf(idempotencyKey: string): string {
  const [, key = "", undo] = idempotencyKey.split("/");
  return `${undo ?? "step"} ${key}`;
}
