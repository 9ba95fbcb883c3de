/** A shop whose values nobody reads without its codec. */
import type { Codec } from "@everstep/core";
import { sealed as workflow } from "./shop-unsealed.ts";

export const sealed: typeof workflow = workflow;

export const codec: Codec = {
  encode: (text) => `sealed:${Buffer.from(text).toString("hex")}`,
  decode: (text) => {
    if (!text.startsWith("sealed:")) throw new Error("it is not sealed");
    return Buffer.from(text.slice("sealed:".length), "hex").toString();
  },
};
