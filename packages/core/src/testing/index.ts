export type { OpenStore, OpenTx } from "./conformance/bench.ts";
export { type ConformanceCase, type StoreConformanceOptions, storeConformance } from "./conformance/suite.ts";
export { type Blow, type CrashPlan, type CrashStore, crashStore, recordCalls } from "./crash-store.ts";
export {
  type CrashTestEnd,
  CrashTestError,
  type CrashTestOptions,
  type CrashTestReport,
  crashTest,
} from "./crash-test.ts";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./memory-store.ts";
export type { MemoryDump, RunDump } from "./memory/dump.ts";
export type { MemoryTx } from "./memory/transaction.ts";
export { type Replay, type ReplayOptions, replay } from "./replay.ts";
export type { RecordedRun } from "./replay-claim.ts";
export {
  type ProcessReport,
  simulate,
  type SimulateOptions,
  SimulationError,
  type SimulationReport,
} from "./simulate.ts";
export type { BodyRecord } from "./simulation/bodies.ts";
export {
  type CallFault,
  type EffectFault,
  type Fault,
  type FaultPlan,
  planFromText,
  planToText,
} from "./simulation/faults.ts";
export type { FaultRates } from "./simulation/nemesis.ts";
export type { ProcessView } from "./simulation/process.ts";
export type { Outside, WorldSetup } from "./simulation/setup.ts";
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
