/** The commands that change something, in the groups in which the help shows them. */
import type { Command } from "commander";
import type { Frame } from "../frame.ts";
import { addCheck } from "./check.ts";
import { addEnding } from "./ending.ts";
import { addForking } from "./forking.ts";
import { addInit } from "./init.ts";
import { addMigrate } from "./migrate.ts";
import { addMoving } from "./moving.ts";
import { addPausing } from "./pausing.ts";
import { addRepairing } from "./repairing.ts";
import { addSending } from "./sending.ts";
import { addSettling } from "./settling.ts";
import { addTransferring } from "./transferring.ts";
import { addWorker } from "./worker.ts";

export const LAST_GROUP = "Code and store:";

export function addChanging(program: Command, frame: Frame): void {
  program.commandsGroup("Mend:");
  addPausing(program, frame);
  addRepairing(program, frame);
  addSettling(program, frame);
  addForking(program, frame);
  addMoving(program, frame);
  addEnding(program, frame);
  program.commandsGroup("Send:");
  addSending(program, frame);
  program.commandsGroup(LAST_GROUP);
  addCheck(program, frame);
  addWorker(program, frame);
  addMigrate(program, frame);
  addTransferring(program, frame);
  addInit(program, frame);
}
