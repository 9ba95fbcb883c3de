export type { OpenStore, OpenTx } from "./conformance/bench.ts";
export { type ConformanceCase, type StoreConformanceOptions, storeConformance } from "./conformance/suite.ts";
export { type CrashPlan, type CrashStore, crashStore, recordCalls } from "./crash-store.ts";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./memory-store.ts";
export type { MemoryDump, RunDump } from "./memory/reading.ts";
export type { MemoryTx } from "./memory/transaction.ts";
export { type Replay, type ReplayOptions, replay } from "./replay.ts";
export type { RecordedRun } from "./replay-claim.ts";
export type { BodyCalled, BodyKind, FailOptions, MockBody } from "./test-bodies.ts";
export { type TestWorker, type TestWorkerOptions, testWorker } from "./test-worker.ts";
export {
  type ProcessClock,
  type ProcessClockOptions,
  processClock,
  type VirtualClock,
  type VirtualClockOptions,
  virtualClock,
} from "./virtual-clock.ts";
