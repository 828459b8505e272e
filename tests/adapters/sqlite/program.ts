// What the fault tests start as a process of its own.
import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createInstanceLock } from "../../../src/adapters/sqlite/instance-lock.ts";
import { createStateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { HoldfastError } from "../../../src/domain/failure.ts";

const [verb = "", directory = "", argument = ""] = process.argv.slice(2);
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Commits one thing after the other and says so only when it was promised to be durable. */
async function commitForEver(start: number): Promise<void> {
  const { stateStore } = createStateStore({ path: join(directory, "state.db"), clock: { now: () => "now" } });
  for (let number = start; ; number += 1) {
    await stateStore.commit([
      { kind: "discover", model: { store: "huggingface", ref: `ref-${number}`, name: `model-${number}`, firstSeen: "first" } },
      { kind: "verified", verification: { name: `model-${number}`, at: "at", level: "full", contentDigest: "digest" } },
    ]);
    say(`${number}`);
    await wait(0);
  }
}

async function commitOnce(): Promise<void> {
  const { stateStore } = createStateStore({ path: join(directory, "state.db"), clock: { now: () => "now" } });
  await stateStore.commit([{ kind: "discover", model: { store: "huggingface", ref: "ref", name: argument, firstSeen: "first" } }]);
}

async function holdLock(): Promise<void> {
  await createInstanceLock({ directory }).acquire(argument);
  say("held");
  await wait(3_600_000);
}

/** Tries again and again; two holders at once would both want to create the same file. */
async function contend(): Promise<void> {
  const lock = createInstanceLock({ directory });
  const counts = { held: 0, refused: 0, violations: 0 };
  for (let attempt = 0; attempt < Number(argument); attempt += 1) {
    try {
      const release = await lock.acquire(`contender ${process.pid}`);
      counts.held += 1;
      counts.violations += await occupy(join(directory, "occupied"));
      release();
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.failure.code !== "conflict") throw error;
      counts.refused += 1;
    }
    await wait(Math.random() * 3);
  }
  say(JSON.stringify(counts));
}

async function occupy(path: string): Promise<number> {
  try {
    closeSync(openSync(path, "wx"));
  } catch {
    return 1;
  }
  await wait(Math.random() * 3);
  unlinkSync(path);
  return 0;
}

async function warnAndLoad(): Promise<void> {
  process.emitWarning("a warning of somebody else", "ExperimentalWarning");
  const { stateStore } = createStateStore({ path: join(directory, "state.db"), clock: { now: () => "now" } });
  await stateStore.load();
  process.emitWarning("another warning of somebody else");
}

const verbs: Readonly<Record<string, () => Promise<void>>> = {
  "commit-for-ever": () => commitForEver(Number(argument)),
  "commit-once": commitOnce,
  "hold-lock": holdLock,
  contend,
  "warn-and-load": warnAndLoad,
};

try {
  await verbs[verb]?.();
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error;
  say(JSON.stringify(error.failure));
  process.exitCode = 1;
}
