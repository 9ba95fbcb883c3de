// everstep on Postgres as a peer of a side-by-side harness of durable-execution engines:
//   npm run bench -- --peers dbos,absurd,<this folder>/peer-postgres.mjs
import { nodeArgs, openEverstep } from "./everstep-peer.mjs";

export const info = {
  store: "postgres",
  packages: [],
  version: "everstep, synchronous_commit=on",
  nodeArgs,
  lease: "15 s; a dead process is noticed in about a second",
};

/** @param {{ url: string, workflows: import("./everstep-peer.mjs").PeerWorkflows, slots: number }} options */
export function open({ url, ...options }) {
  return openEverstep("postgres", { address: url, ...options });
}
