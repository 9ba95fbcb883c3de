import { DatafileError } from "./datafile.ts";

/** A parameter of a pipe: `{{ Int32(hours, 24, description="…") }}`. */
export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly fallback: string | undefined;
}

export interface Template {
  /** With `{name:Type}` where a parameter stands: ClickHouse is given the values beside the SQL, never in it. */
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

/** A value that a caller gave, or did not give, as far as it is at fault. */
export class ParameterError extends Error {
  override readonly name = "ParameterError";
}

const FORMS: Readonly<Record<string, RegExp>> = {
  String: /^[^]*$/,
  Int32: /^-?\d{1,10}$/,
  Int64: /^-?\d{1,19}$/,
  Float64: /^-?\d{1,15}(?:\.\d{1,15})?$/,
  Date: /^\d{4}-\d\d-\d\d$/,
  DateTime: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
};

/** The SQL of a node. One that begins with `%` is a template; of the language, the stand-in knows typed parameters with defaults. */
export function templateOf(text: string): Template {
  const [, body] = /^%\s*([^]*)$/.exec(text) ?? [];
  if (body === undefined) {
    if (/\{\{|\{%/.test(text)) throw new DatafileError("a node with parameters begins with %");
    return { sql: text, parameters: [] };
  }
  const parameters: Parameter[] = [];
  const sql = body.replace(/\{\{(.*?)\}\}/gs, (_, call: string) => {
    const parameter = parameterIn(call.trim());
    parameters.push(parameter);
    return `{${parameter.name}:${parameter.type}}`;
  });
  const other = /\{\{|\{%|\{#/.exec(sql);
  if (other !== null)
    throw new DatafileError(`the stand-in does not know templates with ${other[0]} in them`);
  return { sql, parameters };
}

/** One value for each parameter: the given one, or its default. Throws a `ParameterError` for what does not fit. */
export function valuesFor(
  parameters: readonly Parameter[],
  given: URLSearchParams,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parameters.map(({ name, type, fallback }) => {
      const value = given.get(name) ?? fallback;
      if (value === undefined) throw new ParameterError(`the parameter ${name} is required`);
      if (FORMS[type]?.test(value) !== true)
        throw new ParameterError(`the parameter ${name} must be ${type}, not ${JSON.stringify(value)}`);
      return [name, value];
    }),
  );
}

const ARGUMENT = String.raw`(?:"[^"]*"|'[^']*'|-?[\d.]+)`;
const CALL = new RegExp(
  String.raw`^(\w+)\(\s*(\w+)\s*(?:,\s*(${ARGUMENT})\s*)?((?:,\s*(?:description|required|format)\s*=\s*(?:${ARGUMENT}|True|False)\s*)*)\)$`,
);

function parameterIn(call: string): Parameter {
  const [, type = "", name = "", fallback] = CALL.exec(call) ?? [];
  if (!(type in FORMS)) throw new DatafileError(`the stand-in does not understand {{ ${call} }}`);
  return { name, type, fallback: fallback?.replace(/^(["'])(.*)\1$/, "$2") };
}
