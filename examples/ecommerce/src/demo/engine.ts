import { ENGINE_ADVICE, engineIsInstalled, installEngine } from "../stand-ins/tinybird/engine.ts";

/** Whether there is a ClickHouse for the figures; the first time it is installed. Says so when it can't be. */
export async function engineIsReady(): Promise<boolean> {
  if (engineIsInstalled()) return true;
  console.log(
    "ClickHouse for the figures is installed first, 180 MB and half a minute; --no-figures does without.",
  );
  try {
    await installEngine((line) => {
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${line.slice(0, process.stdout.columns - 1)}`);
    });
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`\n${reason}\nThe day goes on without: ${ENGINE_ADVICE}`);
    return false;
  } finally {
    if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
  }
}
