import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { HttpError } from "./http-error.ts";

const BODY_BYTES_MAX = 10_000_000;

/** The body as text, of up to 10 MB, also once it is unpacked: Tinybird takes gzip. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is read all the same, so that the answer arrives.
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > BODY_BYTES_MAX) throw tooLarge();
  const body = Buffer.concat(chunks);
  if (request.headers["content-encoding"] !== "gzip") return body.toString();
  return (await unpacked(body)).toString();
}

async function unpacked(body: Buffer): Promise<Buffer> {
  try {
    return await promisify(gunzip)(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw new HttpError(400, "The body is not gzip");
  }
}

function tooLarge(): HttpError {
  return new HttpError(413, "The request is larger than 10 MB");
}
