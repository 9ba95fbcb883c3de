/** Mistakes where promises, bodies, leases and commits meet the engine: `packages/core/src/runtime`. */
import { inFile, type Mutant } from "./mutant.ts";

export const OF_RUNTIME: readonly Mutant[] = [
  ...inFile("runtime/activation.ts", [
    [
      "delivers several outcomes in one turn",
      "simulations",
      "I19 I12 E2",
      "else this.#redeliver(next.ask, next.entry);\n        return;",
      "else this.#redeliver(next.ask, next.entry);\n        if (mayDeliver) continue;\n        return;",
    ],
    [
      "begins bodies without a look at its lease",
      "simulations",
      "I4",
      "this.#beginsNothing || !this.host.mayBegin() || ",
      "this.#beginsNothing || ",
    ],
    [
      "parks over messages that it has not seen",
      "simulations",
      "L1",
      '= waiting;\n    this.#letGo({ do: "park", dueAt, inbox: this.machine.inbox.seen, waits }',
      '= waiting;\n    this.#letGo({ do: "park", dueAt, inbox: Number.MAX_SAFE_INTEGER, waits }',
    ],
  ]),
  ...inFile("runtime/activation.ts", [
    [
      "lets the bodies of a run go on that is to be undone",
      "series",
      "L1",
      'if (this.machine.closing) this.#runner.abortSteps("the run is being undone", this.host.abortGraceMs);',
      "",
    ],
    [
      "lets the bodies of branches go on that have lost",
      "series",
      "L1",
      'this.#runner.abort(ask, "the ask was withdrawn");',
      "",
    ],
  ]),
  ...inFile("runtime/suspects.ts", [
    [
      "gives a run up whose worker died once while it was alone",
      "series",
      "L1",
      "POISON_STRIKES = 5",
      "POISON_STRIKES = 1",
    ],
  ]),
  ...inFile("runtime/body-runner.ts", [
    [
      "journals the abort of a body as the outcome of its step",
      "simulations",
      "I5",
      'if (aborted && !timedOut && !fatal) return { how: "interrupted" };',
      "if (aborted && !timedOut && !fatal) return this.#failed(error, { fatal: true });",
    ],
    [
      "tells an undo nothing of what it undoes",
      "simulations",
      "I13",
      "if (ask.result === undefined) return",
      'if (ask.key !== "") return',
    ],
  ]),
  ...inFile("runtime/attempt.ts", [
    [
      "makes a new idempotency key for each attempt",
      "simulations",
      "I6",
      "idempotencyPath(runId, identity, suffix);",
      'idempotencyPath(runId, identity, `${suffix}${this.attempt > 1 ? `~${this.attempt}` : ""}`);',
    ],
  ]),
  ...inFile("runtime/run-context.ts", [
    [
      "registers an undo only after its step",
      "simulations",
      "I13",
      "recordStart: body.undo !== undefined || body.inDoubt !== undefined",
      "recordStart: body.inDoubt !== undefined",
    ],
    [
      "starts timers anew on replay",
      "simulations",
      "L1 I15",
      "dueAt: Math.min(this.#activation.machine.nowMs + ms, INSTANT_MAX)",
      "dueAt: Math.min(this.#activation.host.now() + ms, INSTANT_MAX)",
    ],
    [
      "starts the time of a wait anew on replay",
      "simulations",
      "L1 I14 I15",
      ": this.#activation.machine.nowMs + durationMs(timeout,",
      ": this.#activation.host.now() + durationMs(timeout,",
    ],
    [
      "shows the code the time of the wall clock",
      "simulations",
      "I19 I12 E2",
      "return new Date(this.#activation.machine.nowMs);",
      "return new Date(this.#activation.host.now());",
    ],
    [
      "draws by chance in each attempt",
      "simulations",
      "I12",
      "draws: prng(current)",
      "draws: prng(`${current} ${activation.attempt}`)",
    ],
    [
      "keeps on waiting for the losers of a race",
      "simulations",
      "L1",
      "        this.#activation.withdraw(ask);\n",
      "",
    ],
  ]),
  ...inFile("runtime/committer.ts", [
    [
      "sends a batch again under a new number",
      "simulations",
      "L1",
      "        await this.#outages.wait();\n",
      "        await this.#outages.wait();\n        const writer = batch.find((pending) => pending.writer !== undefined)?.writer;\n        if (writer !== undefined)\n          request = { ...request, lease: { worker: writer.worker, batch: writer.nextBatch() } };\n",
    ],
    [
      "takes an answer that was lost for a yes",
      "simulations",
      "E2 I12 I13 I1 I7",
      "        await this.#outages.wait();\n",
      '        outcomes = batch.map(() => ({ is: "done" }));\n',
    ],
  ]),
  ...inFile("runtime/orphans.ts", [
    ["keeps runs whose claim it never heard of", "series", "L1", "    return again;\n", "    return [];\n"],
  ]),
  ...inFile("runtime/worker-core.ts", [
    [
      "never looks for work by itself",
      "settings",
      "L1",
      "if (this.#ticks % POLL_TICKS === 0) this.#claims.look();",
      "",
    ],
    [
      "keeps its runs when its lease is over",
      "series",
      "I4",
      "for (const activation of Array.from(this.#held)) activation.abandon();",
      "",
    ],
  ]),
];
