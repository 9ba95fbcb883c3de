import type { ErrorDocument } from "../documents.ts";

export function errorText({ name, message, cause }: ErrorDocument): string {
  return `${name}: ${message}${cause === null ? "" : causeText(cause, message)}`;
}

/** An error often says what its cause said: it is not said again. */
function causeText(error: ErrorDocument, said: string): string {
  const { name, message, cause } = error;
  const text = said.includes(message) ? name : `${name}: ${message}`;
  return `, caused by ${text}${cause === null ? "" : causeText(cause, `${said}\n${message}`)}`;
}

/** As `why` says it, where room is scarce: names of errors only where there is nothing else, and no cause that the message repeats. */
export function reasonText(error: ErrorDocument): string {
  let text = ownText(error);
  for (let { cause } = error; cause !== null; { cause } = cause)
    if (!text.includes(ownText(cause))) text += `, caused by ${ownText(cause)}`;
  return text;
}

function ownText({ name, message, code }: ErrorDocument): string {
  return message === "" ? (code ?? name) : message;
}
