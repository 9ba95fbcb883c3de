import { constants } from "node:os";

/**
 * On the first of these signals `stop` is called, and the process then dies of that signal as it would have without us (unless
 * the program listens to it too: then it decides itself). A second one ends the process at once, with a code that is not 0.
 * Returns the way to take the listeners back.
 */
export function onStopSignals(signals: readonly NodeJS.Signals[], stop: () => Promise<unknown>): () => void {
  let stopping = false;
  const remove = (): void => {
    for (const signal of signals) process.off(signal, received);
  };
  const received = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(128 + (constants.signals[signal] ?? 0));
    stopping = true;
    const die = (): void => {
      remove();
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    stop().then(die, die);
  };
  for (const signal of signals) process.on(signal, received);
  return remove;
}
