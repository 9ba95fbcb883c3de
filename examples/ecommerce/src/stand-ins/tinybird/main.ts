/**
 * The local stand-in for Tinybird as a process of its own: ClickHouse takes 300 MB and shares it with nobody.
 *
 *     node src/stand-ins/tinybird/main.ts [port]
 */
import { engineIsInstalled, installEngine } from "./engine.ts";
import { startTinybird } from "./tinybird-server.ts";

if (!engineIsInstalled()) {
  console.error("Installing ClickHouse for the figures: 180 MB, once");
  await installEngine((line) => console.error(line));
}

const server = await startTinybird({ port: Number(process.argv[2] ?? 0) });

process.send?.({ listening: server.port });
if (process.send === undefined) console.log(`Tinybird stand-in: http://127.0.0.1:${server.port}`);

/** Leaves no temporary folder behind. */
function end(): void {
  server.close().then(
    () => process.exit(),
    () => process.exit(1),
  );
}
process.on("SIGINT", end);
process.on("SIGTERM", end);
// Started by another process: don't outlive it.
process.on("disconnect", end);
