import type { Finding } from "@everstep/core";
import type { Command } from "commander";
import { diagnose } from "../diagnosis.ts";
import { withExamples } from "../examples.ts";
import { EXIT } from "../exit-code.ts";
import type { Frame, Work } from "../frame.ts";
import { namedStore } from "../store/location.ts";
import type { Colour, Screen } from "../render/screen.ts";

interface Options {
  readonly strict?: boolean;
}

interface DoctorDocument {
  readonly store: string;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

export function addDoctor(program: Command, frame: Frame): void {
  const command = program
    .command("doctor")
    .summary("what is wrong with the store, its workers and its runs, and what to do")
    .description("Looks at the store as a whole. Exits with 1 when there is a problem.")
    .option("--strict", "exit with 1 for warnings as well")
    .action(frame.withStore<Options>(doctor));
  withExamples(command, [
    ["doctor", "is all well?"],
    ["doctor --strict --json", "for monitoring"],
  ]);
}

const doctor: Work<Options> = async ({ store, location, out, options, io }) => {
  const findings = await diagnose(store, io.now, namedStore(options));
  const tolerated = options.strict === true ? ["fine"] : ["fine", "warning"];
  const healthy = findings.every(({ is }) => tolerated.includes(is));
  const document: DoctorDocument = { store: location.name, healthy, findings };
  out.show(document, doctorText);
  return healthy ? EXIT.done : EXIT.failed;
};

const SIGNS = { fine: "ok", warning: "warn", problem: "BAD" } as const;
const COLOURS: Readonly<Record<Finding["is"], Colour>> = { fine: "green", warning: "yellow", problem: "red" };
const SIGN_WIDTH = 4;
const CHECK_WIDTH = 12;

function doctorText({ store, findings }: DoctorDocument, { paint }: Screen): string {
  const lines = findings.map(({ check, is, found, remedy }) => {
    const sign = paint(COLOURS[is], SIGNS[is].padEnd(SIGN_WIDTH));
    const todo = remedy === null ? "" : `\n${" ".repeat(SIGN_WIDTH + CHECK_WIDTH + 2)}→ ${remedy}`;
    return `${sign} ${check.padEnd(CHECK_WIDTH)} ${found}${todo}\n`;
  });
  return `${store}\n${lines.join("")}`;
}
