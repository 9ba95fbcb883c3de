/**
 * Preloaded by `node --import`: breaks one source file of core while it is loaded, so that nothing is written anywhere.
 * A mutant that was not bred must not pass for one that was caught: then the process ends with an exit code of its own.
 */
import { registerHooks } from "node:module";
import { MUTANT_VARIABLE, mutated, NOT_BRED, type Change, urlOf } from "./change.ts";

const change = JSON.parse(process.env[MUTANT_VARIABLE] ?? "") as Change;
const url = urlOf(change);
let isBred = false;

registerHooks({
  load: (loadedUrl, context, nextLoad) => {
    const loaded = nextLoad(loadedUrl, context);
    if (loadedUrl !== url) return loaded;
    const source = mutated(String(Buffer.from(loaded.source as Uint8Array)), change);
    isBred = true;
    return { ...loaded, source };
  },
});

process.on("exit", () => {
  if (!isBred) process.exitCode = NOT_BRED;
});
