/** The commands that only look, in the group in which the help shows them. */
import type { Command } from "commander";
import type { Frame } from "../frame.ts";
import { addDoctor } from "./doctor.ts";
import { addEvents } from "./events.ts";
import { addList } from "./list.ts";
import { addShow } from "./show.ts";
import { addStats } from "./stats.ts";
import { addTail } from "./tail.ts";
import { addWhy } from "./why.ts";
import { addWorkers } from "./workers.ts";

export function addLooking(program: Command, frame: Frame): void {
  program.commandsGroup("Look:");
  addList(program, frame);
  addShow(program, frame);
  addWhy(program, frame);
  addStats(program, frame);
  addTail(program, frame);
  addWorkers(program, frame);
  addEvents(program, frame);
  addDoctor(program, frame);
}
