import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const COMMAND = fileURLToPath(new URL("../../../../packages/cli/src/main.ts", import.meta.url));

/** What the person on call did about a run. */
export interface Mending {
  readonly run: string;
  /** What `everstep why` said. */
  readonly why: string;
  /** What was typed then. */
  readonly command: string;
}

/** The person on call, who has nothing but the command `everstep`. */
export class Operator {
  readonly mendings: Mending[] = [];
  readonly #store: string;

  /** `store`: as the command's `--store`. */
  constructor(store: string) {
    this.#store = store;
  }

  /** Looks why a run is stuck; by then the shop's account at Stripe is filled up, so the refund that was refused is tried again. */
  async mend(run: string): Promise<void> {
    const why = await this.#everstep("why", run);
    const change = ["resolve", run, "charge-payment", "--rerun"];
    await this.#everstep(...change, "--because", "the account is filled up");
    this.mendings.push({ run, why: why.trim(), command: `everstep ${change.join(" ")}` });
  }

  async #everstep(...words: readonly string[]): Promise<string> {
    const flags = ["--conditions=@everstep/source", COMMAND];
    const env = { ...process.env, NO_COLOR: "1", EVERSTEP_STORE: this.#store };
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...words], { env });
    return stdout;
  }
}
