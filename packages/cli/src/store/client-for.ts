import type { Client } from "@everstep/core";
import type { Session } from "../frame.ts";
import type { WorkflowsModule } from "../input/workflows-module.ts";
import { locateCodec, type StoreOptions } from "./location.ts";

/** With the codec that the module exports, unless the command line names another one. */
export async function clientFor(
  { client, store, options, io }: Pick<Session<StoreOptions>, "client" | "store" | "options" | "io">,
  { codec }: WorkflowsModule,
): Promise<Client> {
  if (codec === undefined || locateCodec(options, io) !== undefined) return client;
  const core = await import("@everstep/core");
  return new core.Client({ store, codec });
}
