// everstep on SQLite as a peer of a side-by-side harness of durable-execution engines:
//   npm run bench -- --peers dbos,restate,<this folder>/peer.mjs
import { nodeArgs, openEverstep } from "./everstep-peer.mjs";

export const info = {
  store: "sqlite",
  packages: [],
  version: "everstep, WAL, synchronous=FULL",
  nodeArgs,
  lease: "15 s; a dead process of the same machine is noticed within a second",
};

/** @param {{ file: string, workflows: import("./everstep-peer.mjs").PeerWorkflows, slots: number }} options */
export function open({ file, ...options }) {
  return openEverstep("sqlite", { address: file, ...options });
}
