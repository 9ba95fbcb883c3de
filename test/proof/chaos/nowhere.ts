import type { World } from "./workflows.ts";

const nothing = (): never => {
  throw new Error("this process executes nothing");
};

/** Where runs are started and replayed, and no body of theirs may run. */
export const NOWHERE: Pick<World, "effects" | "till"> = {
  effects: { perform: nothing },
  till: { open: nothing, charge: nothing, giveBack: nothing },
};
