/**
 * A process of its own for the tests: `node child-roles.ts <role> <settings>`. It says what it did on standard output, a word and
 * its value on each line, hears words on standard input, and lives until it is killed or its role is over.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Logger, type Store, Worker, workflow } from "@everstep/core";
import { postgres } from "../../src/postgres/index.ts";
import { advance, end, entry, Hand } from "../hand.ts";

interface Settings {
  readonly url: string;
  readonly schema: string;
  readonly leaseMs?: number;
  readonly transactionPooler?: boolean;
  readonly hands?: number;
}

const words = createInterface(process.stdin);

const roles: Readonly<Record<string, (settings: Settings) => Promise<void>>> = {
  /** Opens the schema, and says whether that worked. */
  async open(settings) {
    const store = open(settings);
    say("runs", await store.count({}));
    await store.close();
    words.close();
  },

  /** Executes one run of `order` at a time, until it is killed. */
  async work(settings) {
    const { leaseMs = 60_000 } = settings;
    const charge = async (runId: string): Promise<string> => {
      say("began", runId);
      const [word] = (await once(words, "line")) as [string];
      if (word === "block") blockFor(2 * leaseMs);
      say("ended", runId);
      return "by the child";
    };
    const order = workflow({ name: "order" }, (ctx, _input: number) =>
      ctx.step("charge", () => charge(ctx.run.id)),
    );
    const worker = new Worker({
      store: open(settings),
      workflows: [order],
      lease: leaseMs,
      concurrency: 1,
      logger,
    });
    await worker.start();
    say("ready", process.pid);
  },

  /** Several workers that claim runs and end them, until none is left. */
  async drain(settings) {
    const store = open(settings);
    const hands = await Promise.all(Array.from({ length: settings.hands ?? 1 }, () => Hand.join(store)));
    say("ready", hands.length);
    await once(words, "line");
    const ended = await Promise.all(hands.map((hand) => drain(hand, store)));
    say(
      "drained",
      ended.reduce((sum, count) => sum + count, 0),
    );
    await store.close();
    words.close();
  },
};

async function drain(hand: Hand, store: Store): Promise<number> {
  let ended = 0;
  do {
    const claims = await hand.claim(7);
    for (const { run } of claims)
      await hand.commit(
        advance(run.id, { attempt: run.attempt, entries: [entry(1, { value: String(hand.id) })] }),
      );
    await hand.commit(...claims.map(({ run }) => ({ ...end(run.id), attempt: run.attempt, entries: [] })));
    ended += claims.length;
  } while ((await store.count({ status: ["ready", "running"] })) > 0);
  return ended;
}

/** As a loop without an await does. */
function blockFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function open({ url, schema, transactionPooler = false }: Settings): Store {
  return postgres(url, { schema, transactionPooler });
}

function say(word: string, value: unknown): void {
  process.stdout.write(`${word} ${String(value)}\n`);
}

const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message) => say("warns", message),
  error: (message) => say("errs", message),
};

const [role = "", settings = "{}"] = process.argv.slice(2);
await roles[role]?.(JSON.parse(settings) as Settings);
