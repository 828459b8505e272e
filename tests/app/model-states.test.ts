import { describe, expect, it } from "vitest";
import { recallStates, rememberStates, statesAfterLook, statesAfterPass, statesAfterRun, type ModelStates } from "../../src/app/model-states.ts";
import type { Outcome, Plan } from "../../src/domain/action.ts";
import { emptyMemory } from "../../src/domain/inventory.ts";
import type { ObservedState } from "../../src/domain/observed.ts";
import type { PlanInput } from "../../src/domain/plan/plan-input.ts";
import { assessAll, plan } from "../../src/domain/plan/plan.ts";
import { backendOf, holdingOf, modelOf, ollamaContent, upstreamOf } from "../fakes/content.ts";
import { MemoryState, MemoryStore } from "../fakes/memory-store.ts";
import { now, planOptions } from "../domain/plan/world.ts";

const store = "ollama:local" as const;
const content = ollamaContent("one");
const ref = (name: string): string => `registry.ollama.ai/library/${name}:1b`;
const models = ["a", "b"].map((name) => modelOf(name, { kind: "ollama", model: `${name}:1b` }));
const later = "2026-11-21T13:00:00.000Z";

interface View {
  readonly assessments: ReturnType<typeof assessAll>;
  readonly observed: ObservedState;
  readonly plan: Plan;
}

async function look(memoryStore: MemoryStore, at = now): Promise<View> {
  const observed: ObservedState = {
    at,
    level: "stat",
    stores: [await memoryStore.observe({ level: "stat" }, new AbortController().signal)],
    serving: [],
  };
  const input: PlanInput = {
    desired: { revision: { dirty: false, digest: "d" }, models, roles: [], backends: [backendOf("local")], policies: [] },
    lock: { version: 1, entries: [] },
    observed,
    upstream: { a: upstreamOf("ollama", content), b: upstreamOf("ollama", content) },
    memory: emptyMemory,
    options: planOptions,
    now: at,
    toolVersion: "test",
    nameFor: (holding) => holding.ref,
  };
  return { assessments: assessAll(input), observed, plan: plan(input) };
}

const words = (states: ModelStates): Readonly<Record<string, string>> =>
  Object.fromEntries([...states].map(([name, record]) => [name, record.now.state]));

function server(): MemoryStore {
  const memoryStore = new MemoryStore(store, new Map());
  memoryStore.holdings.set(ref("a"), holdingOf(store, ref("a"), content));
  return memoryStore;
}

describe("the states of the declared models", () => {
  it("S2.55 S2.61 begin with nothing known and list every declared model", async () => {
    const view = await look(server());
    expect(words(await recallStates(new MemoryState(), view))).toEqual({ a: "not-present", b: "not-present" });
  });

  it("S2.56 S2.57 a look tells what is here and what is loaded, and keeps when it was last used", async () => {
    const [memoryStore, state] = [server(), new MemoryState()];
    const first = await look(memoryStore);
    const seen = statesAfterLook(await recallStates(state, first), first);
    expect(words(seen)).toEqual({ a: "available", b: "not-present" });
    expect(seen.get("a")?.sizeBytes).toBe(content.files.reduce((sum, file) => sum + file.size, 0));
    await memoryStore.load({ ref: ref("a"), keep: "forever" });
    const loaded = statesAfterLook(seen, await look(memoryStore));
    expect(loaded.get("a")).toMatchObject({ now: { state: "loaded", sizeVram: 1000, stale: false }, lastUsed: now });
    await rememberStates(state, loaded);
    const nextPass = await look(memoryStore, later);
    const unused = statesAfterLook(await recallStates(state, nextPass), nextPass);
    expect(unused.get("a")).toMatchObject({ now: { state: "loaded" }, lastUsed: now });
    await memoryStore.load({ ref: ref("a"), keep: 600_000 });
    expect(statesAfterLook(unused, await look(memoryStore, later)).get("a")?.lastUsed).toBe(later);
    await memoryStore.unload({ ref: ref("a") });
    expect(statesAfterLook(unused, await look(memoryStore, later)).get("a")).toMatchObject({ now: { state: "available" }, lastUsed: now });
  });

  it("S2.58 a server that does not answer changes nothing", async () => {
    const memoryStore = server();
    const seen = statesAfterLook(await recallStates(new MemoryState(), await look(memoryStore)), await look(memoryStore));
    memoryStore.failure = { code: "unreachable", retry: "transient", message: "no answer" };
    expect(statesAfterLook(seen, await look(memoryStore, later))).toEqual(seen);
  });

  it("S2.60 S2.62 a copy is handed out: what a reader has does not change under its hands", async () => {
    const memoryStore = server();
    const view = await look(memoryStore);
    const before = await recallStates(new MemoryState(), view);
    const after = statesAfterLook(before, view);
    expect([before.get("a")?.now.state, after.get("a")?.now.state, after.get("unheard of")]).toEqual(["not-present", "available", undefined]);
  });

  it("S2.64 S2.65 S2.66 S2.76 a failed pull ends as an error with its reason, not as available, until the next look", async () => {
    const memoryStore = server();
    const view = await look(memoryStore);
    const action = view.plan.actions.find((candidate) => candidate.verb === "pull");
    if (action === undefined) throw new Error("the sample plan pulls");
    const failure = { code: "disk-full", retry: "terminal", message: "could not pull b:1b: no space left" } as const;
    const seen = statesAfterLook(await recallStates(new MemoryState(), view), view);
    const run = (outcome: Outcome): ModelStates => statesAfterRun(seen, view, [outcome]);
    const failed = statesAfterPass(run({ state: "failed", actionId: action.id, failure }), await look(memoryStore));
    expect(failed.get("b")?.now).toEqual({ state: "error", during: "pulling", reason: "could not pull b:1b: no space left" });
    const state = new MemoryState();
    await rememberStates(state, failed);
    expect(words(statesAfterLook(await recallStates(state, view), await look(memoryStore)))).toEqual({ a: "available", b: "not-present" });
    memoryStore.holdings.set(ref("b"), holdingOf(store, ref("b"), content));
    expect(words(statesAfterPass(run({ state: "applied", actionId: action.id, detail: "verified" }), await look(memoryStore)))["b"]).toBe(
      "available",
    );
  });

  it("forget a text that is not theirs", async () => {
    const [state, view] = [new MemoryState(), await look(server())];
    await state.remember(
      "model-state",
      new Map([
        ["a", "{"],
        ["b", `{"now":{"state":"dancing"}}`],
      ]),
    );
    expect(words(await recallStates(state, view))).toEqual({ a: "not-present", b: "not-present" });
  });
});
