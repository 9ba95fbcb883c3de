/** Mistakes with children, events and what runs send each other, wherever in core they are made. */
import { inFile, type Mutant } from "./mutant.ts";

const OF_CHILDREN: readonly Mutant[] = [
  ...inFile("engine/children.ts", [
    [
      "cancels no child whose call was given up",
      "exhaustive",
      "I16",
      "if (this.#started.has(ask)) this.#givenUp.add(ask);",
      "",
    ],
    [
      "says that a child is given up, and tells it nothing",
      "exhaustive",
      "I16",
      "this.#orderCancel(ask, true);\n      return true;",
      "return true;",
    ],
    [
      "does not record that it has heard of a child's end",
      "exhaustive",
      "I14",
      "this.#journal.consume(message.no, entry.seq);",
      "",
    ],
    [
      "takes a child that failed for one that completed",
      "exhaustive",
      "I16",
      'if (status !== "completed") {',
      'if (status === "canceled") {',
    ],
    [
      "keeps a child's result to itself",
      "exhaustive",
      "I16",
      "if (result === undefined) return {};",
      "return {};",
    ],
    [
      "waits only for those children that its code still waits for",
      "sampled",
      "I16",
      "return this.#started.size;",
      'return [...this.#started.keys()].filter(({ state }) => state === "open").length;',
    ],
  ]),
  ...inFile("engine/settling.ts", [
    [
      "gives a call up, and not its child",
      "exhaustive",
      "L1 I16",
      'if (ask.kind === "child") this.children.giveUp(ask);',
      "",
    ],
    [
      "closes without a word to its children",
      "exhaustive",
      "I16",
      "this.#children?.cancelAll(this.#unwinding.cause?.compensate ?? true);",
      "",
    ],
    [
      "asks for what it has sent before",
      "series",
      "I3 L1",
      'this.#outgoing.unwish(ask);\n    if (entry.kind === "call")',
      'if (entry.kind === "call")',
    ],
  ]),
  ...inFile("engine/machine.ts", [
    [
      "undoes while its children are under way",
      "exhaustive",
      "I16",
      "if (this.#settling.pendingChildren > 0 && cause.compensate) return undefined;",
      "",
    ],
    [
      "completes before the children that it called",
      "simulations",
      "L1",
      "this.bodies.idle + openChildren > 0",
      "this.bodies.idle > 0",
    ],
  ]),
  ...inFile("engine/unwinding.ts", [
    [
      "undoes a child that has undone itself",
      "exhaustive",
      "I13",
      'return ask.kind === "step" && ask.started',
      "return ask.started",
    ],
    [
      "does not undo what a child did",
      "sampled",
      "I13",
      "if (ask.result !== undefined) return true;",
      'if (ask.result !== undefined) return ask.kind === "step";',
    ],
  ]),
];

const OF_SENDS: readonly Mutant[] = [
  ...inFile("engine/journal.ts", [
    [
      "believes that it has sent something before the store says so",
      "simulations",
      "I19 L1 I14",
      "return seq > this.#durableSeq && ANSWERED.has(kind);",
      "return false;",
    ],
  ]),
  ...inFile("engine/outgoing.ts", [
    [
      "records what it sends, and does not send it",
      "exhaustive",
      "L1 I16 I14 I22",
      "this.#journal.send(made.send);",
      'if (made.send.kind !== "emit") this.#journal.send(made.send);',
    ],
  ]),
  ...inFile("runtime/activation.ts", [
    [
      "does not hear that the store refused to send something",
      "simulations",
      "I19 E2 L1 I11 I14",
      'if ("refused" in outcome) this.machine.journal.refused(outcome.refused);',
      "",
    ],
  ]),
  ...inFile("runtime/sending.ts", [
    [
      "gives a child another id in each attempt",
      "simulations",
      "I14 I16",
      "childId(run.runId, identity, suffix)",
      "childId(run.runId, identity, `~${run.attempt}`)",
    ],
  ]),
  ...inFile("runtime/bounded-map.ts", [
    ["maps all items at once", "series", "I19", "{ length: concurrency }", "{ length: 1000 }"],
  ]),
];

const OF_REPAIRS: readonly Mutant[] = [
  ...inFile("engine/effective-journal.ts", [
    [
      "counts what a person has superseded",
      "repairs",
      "L1 I3",
      "entries = entries.filter((old) => staysAfter(old, note.to));",
      "",
    ],
    [
      "keeps what was undone",
      "repairs",
      "I6 I13",
      "old.error === undefined && !undone.has(old.key) &&",
      "old.error === undefined &&",
    ],
    ["does again what is to be kept", "repairs", "I6", "if (note.carry && isKept)", "if (false)"],
    [
      "does again under its old key what had come to something",
      "repairs",
      "I6",
      "generations.set(old.key, (generations.get(old.key) ?? 0) + 1);",
      "",
    ],
    ["undoes again under the old key", "repairs", "I6", "...undoneUnknown(superseded, undone)]", "]"],
    [
      "gives back no signal that a superseded wait has taken",
      "repairs",
      "L1",
      "if (isTaken(old)) taken.push(old);",
      "",
    ],
  ]),
  ...inFile("engine/settling.ts", [
    [
      "goes on with a run that is paused",
      "repairs",
      "I18",
      "this.#pausedBy = order.no;",
      "this.#pausedBy = undefined;",
    ],
  ]),
];

const OF_STORE: readonly Mutant[] = [
  ...inFile("testing/memory/advance.ts", [
    ["tells nobody that a run has ended", "exhaustive", "L1", "tellWaiters(scene, run.id);", ""],
  ]),
  ...inFile("testing/memory/messages.ts", [
    [
      "leaves a parent asleep when its child ends",
      "series",
      "L1",
      "if (run.owner !== null) return ended;",
      'if (run.owner !== null || type === "child") return ended;',
    ],
    [
      "takes signals for runs that have ended",
      "simulations",
      "I14",
      'if (row.run.end !== null) return { is: "ended", status: row.run.end };',
      "",
    ],
  ]),
  ...inFile("testing/memory/sends.ts", [
    [
      "says that it refused something, and does not store it",
      "simulations",
      "I11 I19",
      "if (refused.length === 0) return entries;",
      "return entries;",
    ],
    [
      "waits for the end of no child",
      "exhaustive",
      "L1",
      "awaitEnd(scene, run.id, { runId: sender, key });",
      "",
    ],
  ]),
  ...inFile("testing/memory/starting.ts", [
    ["forgets whose child a run is", "exhaustive", "I16", "parent: origin.parent ?? null,", "parent: null,"],
  ]),
  ...inFile("testing/memory/events.ts", [
    [
      "starts one run for an event, however many listen",
      "exhaustive",
      "I22",
      "listenersOf(draft, name, now).flatMap(",
      "listenersOf(draft, name, now).slice(0, 1).flatMap(",
    ],
    [
      "forgets that an event was emitted",
      "exhaustive",
      "I22",
      "draft.events.set(pairKey(name, id), { name, id, at: now, payloadHash, runs, no: draft.nextNo() });",
      "",
    ],
  ]),
];

export const OF_FAMILIES: readonly Mutant[] = [...OF_CHILDREN, ...OF_SENDS, ...OF_REPAIRS, ...OF_STORE];
