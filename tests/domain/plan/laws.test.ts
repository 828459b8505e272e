import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { execute } from "../../../src/app/execute.ts";
import type { Connections } from "../../../src/app/host.ts";
import { observe } from "../../../src/app/observe.ts";
import { resolveUpstream } from "../../../src/app/resolve-upstream.ts";
import type { Plan } from "../../../src/domain/action.ts";
import { canonicalJson } from "../../../src/domain/json.ts";
import type { Memory } from "../../../src/domain/inventory.ts";
import type { PlanInput } from "../../../src/domain/plan/plan-input.ts";
import { assessAll, plan } from "../../../src/domain/plan/plan.ts";
import { upstreamQuestions } from "../../../src/domain/plan/upstream-questions.ts";
import { machineBelow } from "../../fakes/machine.ts";
import { inputOf, now, world, type World } from "./world.ts";

const runs = { numRuns: 1000 };
const signal = new AbortController().signal;
const clock = { now: () => now, sleep: async () => undefined };

function connectionsOf({ stores, hubs }: World): Connections {
  return { readers: stores, writers: stores, runtimes: stores, hubs, serving: [], engines: [], machine: machineBelow() };
}

async function inputFor(machine: World): Promise<PlanInput> {
  const observed = await observe(connectionsOf(machine), { level: "stat" }, clock, signal);
  const known = inputOf(machine, await machine.state.load(), observed);
  const upstream = await resolveUpstream(upstreamQuestions(assessAll({ ...known, upstream: {} }), known), machine.hubs, signal);
  return { ...known, upstream };
}

async function apply(machine: World, decided: Plan, observed: PlanInput["observed"]): Promise<readonly string[]> {
  const { desired, lock } = inputOf(machine, await machine.state.load(), observed);
  const outcomes = await execute(decided, {
    connections: connectionsOf(machine),
    desired,
    lock,
    state: machine.state,
    memory: await machine.state.load(),
    observed,
    clock,
    progress: () => undefined,
    concurrency: 4,
    signal,
  });
  return outcomes.flatMap((outcome) => (outcome.state === "failed" ? [`${outcome.actionId} ${outcome.failure.message}`] : []));
}

function shuffled<T>(items: readonly T[]): T[] {
  return [...items].toReversed();
}

describe("laws of the planner", () => {
  it("applying a plan and planning again reaches the empty plan within the passes that deletion needs", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const machine = make();
        const history: string[] = [];
        for (let pass = 0; pass < 4; pass++) {
          const input = await inputFor(machine);
          const decided = plan(input);
          history.push(`pass ${pass}: ${decided.actions.map((action) => `${action.verb} ${action.ref} (${action.reason})`).join(", ")}`);
          expect(
            await apply(machine, decided, input.observed),
            decided.actions.map((action) => `${action.id} ${action.verb} ${action.object} ${action.reason}`).join("\n"),
          ).toEqual([]);
        }
        expect(
          plan(await inputFor(machine)).actions.map(({ verb, object, reason }) => `${verb} ${object} ${reason}`),
          history.join("\n"),
        ).toEqual([]);
      }),
      runs,
    );
  }, 300_000);

  it("what is unknown never leads to an action on its store", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const machine = make();
        const decided = plan(await inputFor(machine));
        const unknown = new Set<string>(machine.down);
        expect(decided.actions.filter((action) => unknown.has(action.store))).toEqual([]);
        expect(decided.blocked.filter((item) => item.object.startsWith("store/")).map((item) => item.cause)).toEqual(
          machine.down.map(() => "unknown"),
        );
      }),
      runs,
    );
  }, 300_000);

  it("a plan does not depend on the order of its inputs", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const input = await inputFor(make());
        const memory: Memory = { ...input.memory, inventory: shuffled(input.memory.inventory), deprecations: shuffled(input.memory.deprecations) };
        const observed = {
          ...input.observed,
          stores: input.observed.stores.map((store) => (store.state === "observed" ? { ...store, holdings: shuffled(store.holdings) } : store)),
        };
        const other = {
          ...input,
          memory,
          observed,
          desired: { ...input.desired, models: shuffled(input.desired.models) },
          lock: { ...input.lock, entries: shuffled(input.lock.entries) },
        };
        expect(canonicalJson(plan(other))).toBe(canonicalJson(plan(input)));
        expect(canonicalJson(plan(input))).toBe(canonicalJson(plan(input)));
      }),
      runs,
    );
  }, 300_000);

  it("nothing outside the inventory is ever deleted, and nothing protected, locked or within its grace period", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const machine = make();
        const input = await inputFor(machine);
        for (const action of plan(input).actions.filter((candidate) => candidate.risk === "destructive")) {
          const item = input.memory.inventory.find((owned) => owned.store === action.store && owned.ref === action.ref);
          expect(item, `${action.ref} is not ours`).toBeDefined();
          expect(item?.protect).toBe(false);
          const deprecation = input.memory.deprecations.find((candidate) => candidate.ref === action.ref);
          expect(Date.parse(now) - Date.parse(deprecation?.since ?? now)).toBeGreaterThanOrEqual(input.options.prune.grace);
          expect(
            input.lock.entries.some(
              (entry) => entry.name === action.name && "manifestDigest" in entry.source && entry.source.manifestDigest === item?.contentId,
            ),
          ).toBe(false);
        }
      }),
      runs,
    );
  }, 300_000);

  it("each action comes after what it depends on, and dependencies exist", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const decided = plan(await inputFor(make()));
        const seen = new Set<string>();
        for (const action of decided.actions) {
          for (const id of action.dependsOn) expect(seen.has(id)).toBe(true);
          seen.add(action.id);
        }
      }),
      runs,
    );
  }, 300_000);

  it("what is in memory is taken out of it only when it is ours: an older content, or loaded by Holdfast for a wish that is gone", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const machine = make();
        const input = await inputFor(machine);
        for (const action of plan(input).actions.filter((candidate) => candidate.verb === "unload")) {
          const holding = machine.stores.find((store) => store.store === action.store)?.holdings.get(action.ref);
          const declared = input.desired.models.find((model) => model.metadata.name === action.name);
          const item = input.memory.inventory.find((owned) => owned.store === action.store && owned.ref === action.ref);
          expect(item ?? declared).toBeDefined();
          if (holding?.loaded?.digest !== holding?.contentId) continue;
          expect(item?.keepLoaded).toBeDefined();
          expect(declared?.lifecycle.state === "active" ? declared.keepLoaded : undefined).toBeUndefined();
        }
      }),
      runs,
    );
  }, 300_000);

  it("after a plan that nothing blocks, every model that is asked for is in memory, with its present content and for as long as asked", async () => {
    await fc.assert(
      fc.asyncProperty(world, async (make) => {
        const machine = make();
        const before = await inputFor(machine);
        const decided = plan(before);
        await apply(machine, decided, before.observed);
        const blocked = new Set<string>(decided.blocked.map((item) => item.object));
        const [ollama] = machine.stores;
        for (const model of machine.desired.models) {
          if (model.keepLoaded === undefined || model.lifecycle.state !== "active" || blocked.has(`model/${model.metadata.name}`)) continue;
          if (machine.down.includes("ollama:local")) continue;
          const holding = ollama?.holdings.get(`registry.ollama.ai/library/${model.metadata.name}:1b`);
          expect(holding?.loaded?.digest, model.metadata.name).toBe(holding?.contentId);
          expect(holding?.loaded?.expiresAt?.startsWith("2319")).toBe(model.keepLoaded === "forever");
        }
      }),
      runs,
    );
  }, 300_000);
});
