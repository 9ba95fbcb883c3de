import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const COMMAND = fileURLToPath(new URL("../../../../packages/cli/src/main.ts", import.meta.url));

/** What the person on call did about runs that were stuck. */
export interface Mending {
  readonly runs: readonly string[];
  /** What `everstep why` said of the first of them. */
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

  /** Looks why runs are stuck; by then the shop's account at Stripe is filled up, so the refunds that were refused are tried again. */
  async mend(runs: readonly string[]): Promise<void> {
    const [first = ""] = runs;
    const why = await this.#everstep("why", first);
    const change = "resolve --step charge-payment --status stuck --rerun";
    await this.#everstep(...change.split(" "), "--yes", "--because", "the account is filled up");
    this.mendings.push({ runs, why: why.trim(), command: `everstep ${change}` });
  }

  async #everstep(...words: readonly string[]): Promise<string> {
    const flags = ["--conditions=@everstep/source", COMMAND];
    const env = { ...process.env, NO_COLOR: "1", EVERSTEP_STORE: this.#store };
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...words], { env });
    return stdout;
  }
}
