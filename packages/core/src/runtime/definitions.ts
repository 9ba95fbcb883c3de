/** The workflows that one worker was given, by name and version. */
import { InvalidArgumentError } from "../errors.ts";
import { durationMs } from "../engine/duration.ts";
import type { WorkflowRef, WorkflowSpec } from "../store.ts";
import type { AnyWorkflow, Workflow } from "../definition.ts";
import { checkDefinition } from "./definition-check.ts";

export class Definitions {
  readonly #byKey = new Map<string, Workflow>();

  constructor(workflows: readonly AnyWorkflow[]) {
    for (const definition of workflows) this.#add(definition as unknown as Workflow);
  }

  /** Where a bundler or two entry points made two copies of one module, each brings the same workflow: one of them is enough. */
  #add(definition: Workflow): void {
    checkDefinition("what a worker is given", definition);
    const key = keyOf(definition);
    const other = this.#byKey.get(key);
    if (other !== undefined && String(other.handler) !== String(definition.handler)) {
      throw new InvalidArgumentError(
        `workflow ${definition.name} version ${definition.version} is given to this worker twice, with different handlers; rename one of them or give it another version`,
      );
    }
    if (other === undefined) this.#byKey.set(key, definition);
  }

  get(ref: WorkflowRef): Workflow | undefined {
    return this.#byKey.get(keyOf(ref));
  }

  get all(): readonly Workflow[] {
    return [...this.#byKey.values()];
  }

  /** What the store is told of them. */
  get specs(): readonly WorkflowSpec[] {
    return this.all.map(({ name, version, options }) => ({
      name,
      version,
      on: options.on ?? null,
      priority: options.priority ?? 0,
      timeoutMs:
        options.timeout === undefined ? null : durationMs(options.timeout, `timeout of workflow ${name}`),
    }));
  }
}

function keyOf({ name, version }: WorkflowRef): string {
  return `${name}\n${version}`;
}
