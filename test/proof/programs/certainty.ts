/** What of a program is certain before it runs: what is surely reached, and how it surely comes out. */
import {
  type Block,
  type ChildNode,
  inRound,
  inside,
  isParallel,
  isRepeat,
  Keys,
  nameAt,
  type Node,
  type ParallelNode,
  type Place,
  type PlainNode,
  type Program,
  type RepeatNode,
  ROOT,
  stepAt,
  type StepNode,
  type TryNode,
} from "./program.ts";

export interface Surely {
  readonly end: "completed" | "failed" | "canceled" | "unknown";
  /** The shape of its result, with `"?"` where that is open. */
  readonly value: unknown;
  readonly steps: readonly string[];
  readonly undos: readonly string[];
  /** Kind and key. */
  readonly waits: readonly string[];
  /** Calls and whatever is sent to other runs: kind and key. */
  readonly sent: readonly string[];
  /** True when it is open whether a pivot is passed: then it is open what is undone. */
  readonly pivotsUnsure: boolean;
}

/** `canceled` can't be caught, and ends all; `unknown` may also fail. */
interface Fate {
  readonly is: "ok" | "failed" | "canceled" | "unknown";
  readonly value: unknown;
}

interface Here {
  readonly place: Place;
  readonly sure: boolean;
  /** False while no step came before: then an `if` takes its second block. */
  readonly hasLast: boolean;
}

const UNKNOWN: Fate = { is: "unknown", value: "?" };
const ok = (value: unknown): Fate => ({ is: "ok", value });
const FAILED: Fate = { is: "failed", value: "?" };
const LONG_MS = 600_000;

export function surely(program: Program): Surely {
  const teller = new Teller();
  const fate = teller.block(program, { place: ROOT, sure: true, hasLast: false });
  const { steps, undos, waits, sent, pivotsUnsure } = teller;
  if (teller.cancelUnsure || fate.is === "unknown")
    return {
      end: "unknown",
      value: "?",
      steps: teller.cancelUnsure ? [] : steps,
      undos,
      waits: teller.cancelUnsure ? [] : waits,
      sent: teller.cancelUnsure ? [] : sent,
      pivotsUnsure,
    };
  const end = fate.is === "ok" ? "completed" : fate.is;
  return { end, value: fate.value, steps, undos, waits, sent, pivotsUnsure };
}

class Teller {
  readonly steps: string[] = [];
  readonly undos: string[] = [];
  readonly waits: string[] = [];
  readonly sent: string[] = [];
  pivotsUnsure = false;
  /** It is open when, or whether, the run is canceled. */
  cancelUnsure = false;
  readonly #keys = new Keys();

  block(block: Block, here: Here): Fate {
    const values: unknown[] = [];
    let { sure, hasLast } = here;
    let isOpen = false;
    for (const [index, node] of block.entries()) {
      const fate = this.#node(node, { sure, hasLast, place: inside(here.place, index) });
      if (fate.is === "canceled" || (fate.is === "failed" && !isOpen)) return fate;
      isOpen ||= fate.is !== "ok";
      sure &&= !isOpen;
      hasLast ||= node.do === "step";
      values.push(fate.value);
    }
    return isOpen ? UNKNOWN : ok(values);
  }

  #within(block: Block, here: Here, index: number, sure = here.sure): Fate {
    return this.block(block, { ...here, sure, place: inside(here.place, index) });
  }

  #node(node: Node, here: Here): Fate {
    if (isParallel(node)) return this.#parallel(node, here);
    if (isRepeat(node)) return this.#repeat(node, here);
    switch (node.do) {
      case "step":
        return this.#step(node, here);
      case "if":
        if (!here.hasLast) return this.#within(node.even, here, 1);
        return either([this.#within(node.odd, here, 0, false), this.#within(node.even, here, 1, false)]);
      case "try":
        return this.#try(node, here);
      case "sleep":
        return this.#wait("timer", nameAt(here.place, "sleep"), here, ok("slept"));
      case "sent":
        return this.#wait("signal", nameAt(here.place, "sent"), here, ok("sent"));
      case "unsent":
        return this.#wait("signal", nameAt(here.place, "unsent"), here, FAILED);
      case "maybe":
      case "offer":
        return ok("?");
      case "call":
      case "start":
        return node.do === "call" ? this.#call(node, here) : this.#start(node, here);
      case "emit":
        return this.#send("emit", `emit ${node.event}`, here, ok("emitted"));
      case "told":
        return this.#wait("signal", node.signal, here, ok("?"));
      default:
        return this.#plain(node, here);
    }
  }

  #try({ body, caught }: TryNode, here: Here): Fate {
    const tried = this.#within(body, here, 0);
    if (tried.is === "ok" || tried.is === "canceled") return tried;
    const rest = this.#within(caught, here, 1, here.sure && tried.is === "failed");
    if (tried.is === "failed") return rest.is === "ok" ? ok(["caught", "?", rest.value]) : rest;
    return rest.is === "ok" ? ok("?") : UNKNOWN;
  }

  #step(node: StepNode, { place, sure }: Here): Fate {
    const undo = node.undo?.startsWith("bare") === true ? this.#keys.next(nameAt(place, "undo")) : undefined;
    const key = this.#keys.ofStep(stepAt(place));
    if (sure) {
      this.steps.push(key);
      if (node.undo !== undefined) this.undos.push(undo ?? key);
    }
    return node.does === "ok" || node.does === "flaky" ? ok(key) : FAILED;
  }

  #call(node: ChildNode, here: Here): Fate {
    const key = this.#keys.next(nameAt(here.place, "call"));
    const { end, value } = surely(node.program);
    if (here.sure) this.sent.push(`child ${key}`);
    if (end === "unknown") return UNKNOWN;
    if (end !== "completed") return FAILED;
    if (here.sure && node.undo !== undefined) this.undos.push(key);
    if (node.late !== true) return ok(value);
    const late = this.#send("send", `signal ${nameAt(here.place, "late")}`, here, ok("RunEndedError"));
    return ok([value, late.value]);
  }

  #start(node: ChildNode, here: Here): Fate {
    const told = `signal ${nameAt(here.place, "told")}`;
    const started = this.#send("start", nameAt(here.place, "start"), here, ok("started"));
    if (node.told === true) this.#send("send", told, here, started);
    return started;
  }

  #tell(here: Here): Fate {
    const name = nameAt(here.place, "tell");
    this.#send("send", `signal ${name}`, here, ok("told"));
    const key = this.#keys.next(name);
    if (here.sure) this.waits.push(`signal ${key}`);
    return ok(key);
  }

  #send(kind: string, name: string, { sure }: Here, fate: Fate): Fate {
    const key = this.#keys.next(name);
    if (sure) this.sent.push(`${kind} ${key}`);
    return fate;
  }

  #wait(kind: string, name: string, { sure }: Here, fate: Fate): Fate {
    const key = this.#keys.next(name);
    if (sure) this.waits.push(`${kind} ${key}`);
    return fate;
  }

  #plain({ do: what }: PlainNode, here: Here): Fate {
    const { sure } = here;
    if (what === "tell") return this.#tell(here);
    if (what === "tell-nobody")
      return this.#send("send", `signal ${nameAt(here.place, "nobody")}`, here, ok("RunNotFoundError"));
    if (what === "fail") return FAILED;
    if (what === "pivot") this.pivotsUnsure ||= !sure;
    if (what === "cancel" || (what === "await-cancel" && !sure)) this.cancelUnsure = true;
    return what === "await-cancel" ? { is: "canceled", value: "?" } : ok(what);
  }

  // ------------------------------------------------------------------------------------------ side by side

  #parallel(node: ParallelNode, here: Here): Fate {
    if (node.do === "contest") return this.#contest(node, here);
    if (node.branches.length === 1 && node.do !== "settled") {
      const only = this.#apart(node.branches[0] ?? [], here, 0, here.sure);
      return node.do === "all" && only.is === "ok" ? ok([only.value]) : only;
    }
    const fates = node.branches.map((branch) => new Teller().block(branch, { ...here, sure: true }));
    const sure = here.sure && isJoined(node, fates);
    const own = node.branches.map((branch, index) => this.#apart(branch, here, index, sure));
    switch (node.do) {
      case "all":
        return everyOne(own);
      case "settled":
        return own.some(({ is }) => is === "canceled" || is === "unknown")
          ? ok("?")
          : ok(own.map(({ is, value }) => (is === "ok" ? value : "?")));
      case "any":
        if (own.some(({ is }) => is === "ok")) return ok("?");
        return own.every(({ is }) => is === "failed") ? FAILED : UNKNOWN;
      default:
        return either(own);
    }
  }

  /** A cancel beside other things may come at any point of theirs. */
  #apart(branch: Block, here: Here, index: number, sure: boolean): Fate {
    const fate = this.#within(branch, here, index, sure);
    if (fate.is !== "canceled") return fate;
    this.cancelUnsure = true;
    return UNKNOWN;
  }

  /** What begins with a slow step never wins, and what begins with a long sleep not against one that does not. */
  #contest(node: ParallelNode, here: Here): Fate {
    const short = node.branches.filter(([head]) => !isLong(head));
    const own = node.branches.map((branch, index) =>
      this.#apart(branch, here, index, here.sure && short.length === 1 && short[0] === branch),
    );
    const fate = own.find((_, index) => node.branches[index] === short[0]);
    if (short.length !== 1 || fate === undefined) return either(own);
    return fate.is === "ok" ? ok(["?", fate.value]) : fate;
  }

  #repeat(node: RepeatNode, here: Here): Fate {
    const rounds = Array.from({ length: node.times }, (_, round) =>
      inRound(inside(here.place, 0), node, round),
    );
    if (node.do === "each" || node.do === "map") {
      const probe = new Teller().block(node.body, { ...here, sure: true });
      const sure = here.sure && (probe.is === "ok" || node.times === 1);
      return everyOne(rounds.map((place) => this.#round(node.body, { ...here, place, sure })));
    }
    let { sure } = here;
    const values: unknown[] = [];
    for (const place of rounds) {
      const fate = this.block(node.body, { ...here, place, sure });
      if (fate.is === "failed" && sure === here.sure) return fate;
      if (fate.is === "canceled") return fate;
      sure &&= fate.is === "ok";
      values.push(fate.value);
    }
    return sure === here.sure ? ok(values) : UNKNOWN;
  }

  #round(body: Block, here: Here): Fate {
    const fate = this.block(body, here);
    if (fate.is === "canceled") this.cancelUnsure = true;
    return fate.is === "canceled" ? UNKNOWN : fate;
  }
}

function isLong(node: Node | undefined): boolean {
  return (node?.do === "sleep" && node.ms >= LONG_MS) || (node?.do === "step" && node.does === "slow");
}

/** All branches are surely waited for to their ends. */
function isJoined({ do: how }: ParallelNode, fates: readonly Fate[]): boolean {
  if (how === "settled") return true;
  return how === "all"
    ? fates.every(({ is }) => is === "ok")
    : how === "any" && fates.every(({ is }) => is === "failed");
}

function everyOne(fates: readonly Fate[]): Fate {
  if (fates.every(({ is }) => is === "ok")) return ok(fates.map(({ value }) => value));
  return fates.some(({ is }) => is === "failed") ? FAILED : UNKNOWN;
}

/** One of these, and nobody knows which. */
function either(fates: readonly Fate[]): Fate {
  if (fates.some(({ is }) => is === "canceled")) return UNKNOWN;
  if (fates.every(({ is }) => is === "ok")) return ok("?");
  return fates.every(({ is }) => is === "failed") ? FAILED : UNKNOWN;
}
