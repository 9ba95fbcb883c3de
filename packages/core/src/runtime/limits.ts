import { PayloadTooLargeError } from "../errors.ts";

/** Default of `maxPayloadBytes`. */
export const PAYLOAD_MAX_BYTES: number = 1024 * 1024;

/** Throws when the text takes more bytes than allowed. Counts only when it has to: a character is one to three bytes. */
export function checkSize(text: string, maxBytes: number, what: string): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new PayloadTooLargeError(what, bytes, maxBytes);
  return text;
}
