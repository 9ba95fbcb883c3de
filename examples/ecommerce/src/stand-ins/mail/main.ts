/**
 * The local stand-in for a mail server as a process of its own.
 *
 *     node src/stand-ins/mail/main.ts [smtp-port]
 */
import { startMailServer } from "./mail-server.ts";

const { smtpPort, httpPort } = await startMailServer({ smtpPort: Number(process.argv[2] ?? 0) });

process.send?.({ listening: httpPort, smtp: smtpPort });
if (process.send === undefined)
  console.log(`Mail: smtp://127.0.0.1:${smtpPort}, to be seen at http://127.0.0.1:${httpPort}`);

// Started by another process: don't outlive it.
process.on("disconnect", () => process.exit());
