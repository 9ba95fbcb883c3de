/** The workflows of a program, from a module of it: commands that execute or replay them need their code. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Codec, Workflow } from "@everstep/core";
import { usageError } from "../failure.ts";

export interface WorkflowsModule {
  readonly path: string;
  readonly workflows: readonly Workflow[];
  /** What it exports as `codec`. */
  readonly codec: Codec | undefined;
}

/**
 * Loads the module, which runs it as `node <path>` would: so it is not confined as data files are, and nothing but a path is loaded. All exports that are
 * workflows, or lists of them, are taken.
 */
export async function loadWorkflows(path: string, cwd: string): Promise<WorkflowsModule> {
  const full = resolve(cwd, path);
  if (path.includes("\0") || statSync(full, { throwIfNoEntry: false })?.isFile() !== true)
    throw usageError(
      `--workflows ${JSON.stringify(path)}: there is no such file; give the module that exports your workflows, such as ./workflows.ts`,
    );
  const exported = await importOf(full);
  const workflows = [...new Set(Object.values(exported).flat().filter(isWorkflow))];
  if (workflows.length === 0)
    throw usageError(
      `--workflows ${JSON.stringify(path)} exports no workflow: export what workflow({ … }) gives, by name, by default or in a list`,
    );
  return { path: full, workflows, codec: exported["codec"] as Codec | undefined };
}

async function importOf(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw usageError(`--workflows ${JSON.stringify(file)} could not be loaded: ${String(error)}`);
  }
}

function isWorkflow(value: unknown): value is Workflow {
  if (typeof value !== "object" || value === null) return false;
  const { name, version, handler } = value as Partial<Record<keyof Workflow, unknown>>;
  return typeof name === "string" && typeof version === "string" && typeof handler === "function";
}
