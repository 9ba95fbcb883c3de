/** I20: a secret in all that runs are given, answer, throw and are sent, and the codec that keeps it from everybody else. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Codec, Entry, RunDetails } from "@everstep/core";

/** In pieces: no file of this program has it as it is looked for. */
export const CANARY: string = ["tell", "nobody", "4242424242424242"].join("-");

const KEY = Buffer.alloc(32, "a key for tests only");
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM, bound to the run. */
export const cipher: Codec = {
  encode: (text, { runId }) => {
    const iv = randomBytes(IV_BYTES);
    const sealing = createCipheriv("aes-256-gcm", KEY, iv).setAAD(Buffer.from(runId));
    const sealed = Buffer.concat([sealing.update(text, "utf8"), sealing.final()]);
    return JSON.stringify(Buffer.concat([iv, sealing.getAuthTag(), sealed]).toString("base64"));
  },
  decode: (text, { runId }) => {
    const bytes = Buffer.from(JSON.parse(text) as string, "base64");
    const opening = createDecipheriv("aes-256-gcm", KEY, bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(runId))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return opening.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, "utf8") + opening.final("utf8");
  },
};

/** As it would be in the store without the codec. */
export function deciphered(details: RunDetails): RunDetails {
  const { run, journal, messages, retries } = details;
  const openAs =
    (runId: string) =>
    (text: string): string =>
      cipher.decode(text, { runId, key: "" });
  const open = openAs(run.id);
  return {
    ...details,
    run: {
      ...run,
      input: openAs(run.event ?? run.id)(run.input),
      result: run.result === null ? null : open(run.result),
      error: run.error === null ? null : open(run.error),
      stuck: run.stuck === null ? null : { ...run.stuck, message: open(run.stuck.message) },
    },
    journal: journal.map((entry) => opened(entry, open)),
    messages: messages.map((message) =>
      message.type === "child" ? message : { ...message, payload: open(message.payload) },
    ),
    retries: retries.map(({ error, ...row }) => (error === undefined ? row : { ...row, error: open(error) })),
  };
}

/**
 * The list of what is to be undone has no values in it, but for the error that is encoded on its own; what a person did to the journal has only
 * a note; and why a send was refused is everybody's to read.
 */
function opened({ value, error, ...entry }: Entry, open: (text: string) => string): Entry {
  return {
    ...entry,
    ...(value === undefined ? {} : { value: PLAIN.has(entry.kind) ? value : open(value) }),
    ...(error === undefined ? {} : { error: value === undefined ? open(error) : error }),
  };
}

const PLAIN: ReadonlySet<Entry["kind"]> = new Set(["unwinding", "reset", "resolve", "move", "fork"]);
