/** @import { Snapshot } from "../figures-feed.ts" */

/**
 * What the page knows: the server's newest snapshot, and since when.
 *
 * @typedef {object} Known
 * @property {Snapshot | null} snapshot
 * @property {number} sinceMs How long ago it came.
 * @property {boolean} isConnected
 */

/** The server speaks once a second: one that has said nothing for so long is gone, whatever the connection says. */
const SILENCE_MAX_MS = 6000;

/**
 * Tells what is known, now and at least once a second: also when nothing comes, since figures age. A connection that is lost is made again.
 *
 * @param {(known: Known) => void} tell
 */
export function watchFigures(tell) {
  /** @type {Snapshot | null} */
  let snapshot = null;
  let heardAt = performance.now();
  let dialedAt = heardAt;
  let isConnected = false;
  let source = connect();

  function connect() {
    const live = new EventSource("/live");
    live.addEventListener("message", ({ data }) => {
      snapshot = /** @type {Snapshot} */ (JSON.parse(String(data)));
      heardAt = performance.now();
      isConnected = true;
      say();
    });
    live.addEventListener("error", () => {
      isConnected = false;
      say();
    });
    return live;
  }

  function say() {
    tell({ snapshot, sinceMs: performance.now() - heardAt, isConnected });
  }

  setInterval(() => {
    const now = performance.now();
    if (now - Math.max(heardAt, dialedAt) > SILENCE_MAX_MS) {
      source.close();
      isConnected = false;
      dialedAt = now;
      source = connect();
    }
    say();
  }, 1000);
  say();
}
