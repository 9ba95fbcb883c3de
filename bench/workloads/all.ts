import type { Workload } from "../workload.ts";
import { backlog } from "./backlog.ts";
import { command } from "./command.ts";
import { depth } from "./depth.ts";
import { events } from "./events.ts";
import { fanOutAndIn } from "./fan-out.ts";
import { hundredInFlight } from "./hundred-in-flight.ts";
import { idle } from "./idle.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { processes } from "./processes.ts";
import { raw } from "./raw.ts";
import { recovery } from "./recovery.ts";
import { replay } from "./replay.ts";
import { signals } from "./signals.ts";
import { sleepers } from "./sleepers.ts";
import { steps } from "./steps.ts";
import { timers } from "./timers.ts";

export const WORKLOADS: readonly Workload[] = [
  raw,
  steps,
  oneAtATime,
  hundredInFlight,
  replay,
  sleepers,
  depth,
  command,
  backlog,
  recovery,
  processes,
  fanOutAndIn,
  timers,
  signals,
  events,
  idle,
];
