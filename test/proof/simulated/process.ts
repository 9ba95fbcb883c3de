/** A program: does a share of one part of the simulated campaign, and prints what came of it as one line of JSON. */
import { type PartName, type Share, type Sizes, tryPart } from "./parts.ts";

export interface Order {
  readonly part: PartName;
  readonly share: Share;
  readonly sizes: Sizes;
}

const { part, share, sizes } = JSON.parse(process.argv[2] ?? "") as Order;
console.log(JSON.stringify(await tryPart(part, share, sizes)));
