/**
 * The page for operations, as a process of its own.
 *
 *     TINYBIRD_URL          the local stand-in by default, http://127.0.0.1:12113
 *     TINYBIRD_READ_TOKEN   a token that may read the pipes; the stand-in's by default
 *     PORT                  3001
 *     ALLOWED_HOSTS         the names under which a proxy passes requests on, with commas between them: none
 */
import { hostsIn } from "../local-requests.ts";
import { Tinybird } from "../tinybird.ts";
import { startOperations } from "./operations-server.ts";

// Started by another process, such as the demo: don't outlive it.
process.on("disconnect", () => process.exit(1));

const { env } = process;
const tinybird = new Tinybird({
  url: env["TINYBIRD_URL"] ?? "http://127.0.0.1:12113",
  token: env["TINYBIRD_READ_TOKEN"] ?? "local_read",
});
const { port } = await startOperations({
  tinybird,
  port: Number(env["PORT"] ?? 3001),
  hosts: hostsIn(env["ALLOWED_HOSTS"]),
});
process.send?.({ listening: port });
if (process.send === undefined) console.log(`The page for operations: http://127.0.0.1:${port}`);
