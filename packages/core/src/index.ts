export * from "./context.ts";
export * from "./errors.ts";
export { statusOf } from "./engine/status.ts";
export type * from "./store.ts";
export { workflow } from "./workflow.ts";
export type { Workflow, WorkflowOptions } from "./workflow.ts";
