import { describe, expect, it } from "vitest";
import type { Plan } from "../../../src/domain/action.ts";
import { diff } from "../../../src/domain/plan/diff.ts";
import { emptyMemory, type InventoryItem, type Memory } from "../../../src/domain/inventory.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { Holding, LoadedModel, Observation } from "../../../src/domain/observed.ts";
import type { PlanInput } from "../../../src/domain/plan/plan-input.ts";
import { assessAll, plan } from "../../../src/domain/plan/plan.ts";
import { refusalOf } from "../../../src/domain/plan/still-valid.ts";
import { backendOf, holdingOf, lockOf, modelOf, ollamaContent, upstreamOf, type Content } from "../../fakes/content.ts";
import { now, planOptions } from "./world.ts";

const store = "ollama:local" as const;
const [one, two] = [ollamaContent("one"), ollamaContent("two")];
const ref = (name: string): string => `registry.ollama.ai/library/${name}:1b`;
const chat = (more: Partial<Model> = {}): Model => modelOf("chat", { kind: "ollama", model: "chat:1b" }, more);
const kept = chat({ keepLoaded: "forever" });
const forEver = "2319-01-01T00:00:00.000Z";
const soon = "2026-11-21T12:10:00.000Z";

function running(content: Content, expiresAt = forEver): Pick<Holding, "loaded"> {
  const loaded: LoadedModel = { ref: ref("chat"), digest: content.id, sizeVram: 1000, expiresAt };
  return { loaded };
}

const held = (more: Partial<Holding> = {}, content = one, name = "chat"): Holding => ({ ...holdingOf(store, ref(name), content), ...more });

function seen(holdings: readonly Holding[], more: Partial<Extract<Observation, { state: "observed" }>> = {}): Observation {
  return { state: "observed", store, complete: true, holdings, unreadable: [], runtimeSeen: true, warnings: [], ...more };
}

function own(more: Partial<InventoryItem> = {}): InventoryItem {
  return { name: "chat", store, ref: ref("chat"), contentId: one.id, origin: "pulled", since: now, sizeBytes: 1, protect: false, ...more };
}

interface Case {
  readonly models?: readonly Model[];
  readonly observation: Observation;
  readonly memory?: Partial<Memory>;
  readonly more?: Partial<PlanInput>;
}

function inputOf({ models = [kept], observation, memory = { inventory: [own()] }, more = {} }: Case): PlanInput {
  return {
    desired: { revision: { dirty: false, digest: "d" }, models, roles: [], backends: [backendOf("local")], policies: [] },
    lock: { version: 1, entries: [] },
    observed: { at: now, level: "stat", stores: [observation], serving: [] },
    upstream: { chat: upstreamOf("ollama", one) },
    memory: { ...emptyMemory, ...memory },
    options: planOptions,
    now,
    toolVersion: "test",
    nameFor: (holding) => holding.ref,
    ...more,
  };
}

function lines({ actions, blocked, bookkeeping }: Plan): readonly string[] {
  return [
    ...actions.map((action) => `${action.verb} ${action.object}: ${action.reason}`),
    ...blocked.map((item) => `blocked ${item.object}: ${item.reason}`),
    ...bookkeeping.filter((change) => change.kind === "kept").map((change) => `${change.kind} ${change.name}`),
  ];
}

const planned = (given: Case): readonly string[] => lines(plan(inputOf(given)));
const asked = "its manifest asks to keep it in memory";

describe("loading", () => {
  it("loads what is asked for and not there, and nothing when it is there as asked", () => {
    expect(planned({ observation: seen([held()]) })).toEqual([`load model/chat: ${asked}, and it is not there`]);
    expect(planned({ observation: seen([held(running(one))]), memory: { inventory: [own({ keepLoaded: "forever" })] } })).toEqual([]);
    expect(planned({ models: [chat()], observation: seen([held(running(one))]) })).toEqual([]);
  });

  it("loads after the pull of the same plan", () => {
    const { actions } = plan(inputOf({ observation: seen([]), memory: {} }));
    expect(actions.map(({ verb, dependsOn }) => [verb, dependsOn])).toEqual([
      ["pull", []],
      ["load", ["a1"]],
    ]);
  });

  it("loads after taking into the inventory what was already here, so that it is remembered", () => {
    const { actions } = plan(inputOf({ observation: seen([held()]), memory: {} }));
    expect(actions.map(({ verb, dependsOn }) => [verb, dependsOn])).toEqual([
      ["import", []],
      ["load", ["a1"]],
    ]);
  });

  it.each([
    ["for ever instead of a while", kept, running(one, soon), own({ keepLoaded: "forever" }), "it would leave memory some time after its last use"],
    [
      "a while instead of for ever",
      chat({ keepLoaded: 1_800_000 }),
      running(one),
      own({ keepLoaded: 1_800_000 }),
      "it would stay in memory for ever",
    ],
    [
      "another while",
      chat({ keepLoaded: 1_800_000 }),
      running(one, soon),
      own({ keepLoaded: 600_000 }),
      "its manifest says another time than it was loaded with",
    ],
    ["after its time was over", chat({ keepLoaded: 1_800_000 }), {}, own({ keepLoaded: 1_800_000 }), `${asked}, and it is not there`],
  ] as const)("asks again: %s", (_why, model, loaded, item, reason) => {
    expect(planned({ models: [model], observation: seen([held(loaded)]), memory: { inventory: [item] } })).toEqual([`load model/chat: ${reason}`]);
  });

  it("unknown is not unloaded: a server that did not say what it has in memory is left alone", () => {
    const { runtimeSeen: _none, ...blind } = seen([held()]) as Extract<Observation, { state: "observed" }>;
    expect(planned({ observation: blind })).toEqual([]);
    const failure = { code: "unreachable", retry: "transient", message: "no answer" } as const;
    expect(plan(inputOf({ observation: { state: "unknown", store, failure } })).actions).toEqual([]);
  });

  it("an alias that runs is as good as the name itself, and the longest wish of both holds", () => {
    const other = modelOf("other", { kind: "ollama", model: "other:1b" }, { keepLoaded: 600_000 });
    const holdings = [held(running(one)), held({}, one, "other")];
    const inventory = [own({ keepLoaded: "forever" }), own({ name: "other", ref: ref("other"), keepLoaded: "forever" })];
    expect(planned({ models: [kept, other], observation: seen(holdings), memory: { inventory } })).toEqual([]);
    expect(planned({ models: [chat(), other], observation: seen(holdings), memory: { inventory } })).toEqual([
      "load model/other: it would stay in memory for ever",
    ]);
  });

  it("a cloud model cannot be kept in memory, and wrong bytes are not loaded", () => {
    const stub = held({ facts: { capabilities: {}, remoteHost: "https://ollama.com" } });
    expect(planned({ observation: seen([stub]) })).toEqual([
      "blocked model/chat: it cannot be kept in memory: it is a cloud model that runs on https://ollama.com",
    ]);
    const lock = { version: 1, entries: [lockOf(kept, ref("chat"), two)] } as const;
    const foreign = plan(inputOf({ observation: seen([held()]), memory: {}, more: { lock } }));
    expect(foreign.actions).toEqual([]);
  });
});

describe("unloading", () => {
  it("a stale runner goes, and what is asked for is loaded with the new content", () => {
    const input = inputOf({ observation: seen([held(running(two))]), memory: { inventory: [own({ keepLoaded: "forever" })] } });
    const decided = plan(input);
    expect(lines(decided)).toEqual(["unload model/chat: the server still runs an older content of it", `load model/chat: ${asked}`]);
    expect(decided.actions[0]?.work).toEqual({ verb: "unload", request: { ref: ref("chat"), digest: two.id } });
    expect(diff(assessAll(input), decided, input)).toMatchObject([{ class: "stale-runner", object: "model/chat", response: "unload" }]);
  });

  it("a stale runner of somebody else's model is only reported", () => {
    const input = inputOf({ models: [], observation: seen([held(running(two))]), memory: {} });
    expect(plan(input).actions).toEqual([]);
    expect(diff([], plan(input), input)).toMatchObject([{ class: "stale-runner", response: "reported only" }]);
  });

  it("what Holdfast loaded goes when its manifest does not ask any more; what others loaded stays", () => {
    const observation = seen([held(running(one))]);
    const memory = { inventory: [own({ keepLoaded: "forever" })] };
    const why = "it was loaded for its manifest, which does not ask for it any more";
    expect(planned({ models: [chat()], observation, memory })).toEqual([`unload model/chat: ${why}`]);
    expect(planned({ models: [chat({ keepLoaded: "forever", lifecycle: { state: "deprecated" } })], observation, memory })).toContain(
      `unload model/chat: ${why}`,
    );
    expect(planned({ models: [chat()], observation: seen([held(running(one, soon))]), memory })).toEqual(["kept chat"]);
    expect(planned({ models: [chat()], observation: seen([held()]), memory })).toEqual(["kept chat"]);
  });

  it("a model that left Git is unloaded before it is purged; one that others loaded is not purged", () => {
    const other = modelOf("other", { kind: "ollama", model: "other:1b" });
    const deprecations: Memory["deprecations"] = [
      { name: "chat", store, ref: ref("chat"), since: "2026-01-01T00:00:00.000Z", reason: "not-in-manifests", confirmations: 2 },
    ];
    const given = (item: InventoryItem): PlanInput =>
      inputOf({ models: [other], observation: seen([held(running(one)), held({}, two, "other")]), memory: { inventory: [item], deprecations } });
    const ours = plan(given(own({ keepLoaded: "forever" }))).actions.filter((action) => action.name === "chat");
    expect(ours.map(({ verb }) => verb)).toEqual(["unload", "purge"]);
    expect(ours[1]?.dependsOn).toEqual([ours[0]?.id]);
    expect(lines(plan(given(own())))).toContain("blocked model/chat: a server has it in memory");
  });

  it("nothing is unloaded for manifests that declare nothing at all", () => {
    const decided = plan(inputOf({ models: [], observation: seen([held(running(one))]), memory: { inventory: [own({ keepLoaded: "forever" })] } }));
    expect(decided.actions).toEqual([]);
    expect(lines(decided).join()).toContain("unload withheld");
  });
});

describe("a saved plan that loads or unloads", () => {
  const refusal = (made: PlanInput, current: PlanInput): readonly (string | undefined)[] =>
    plan(made).actions.map((action) => refusalOf(action, assessAll(current), current));
  const loadInput = inputOf({ observation: seen([held()]) });
  const stale = inputOf({ models: [chat()], observation: seen([held(running(two))]) });
  const release = inputOf({ models: [chat()], observation: seen([held(running(one))]), memory: { inventory: [own({ keepLoaded: "forever" })] } });

  it("holds while manifests and inventory say the same", () => {
    for (const input of [loadInput, stale, release]) expect(refusal(input, input)).toEqual([undefined]);
  });

  it("is refused when the manifest asks for something else, or when what is in memory is not Holdfast's to remove", () => {
    expect(refusal(loadInput, { ...loadInput, desired: { ...loadInput.desired, models: [chat()] } })).toEqual([
      "its manifest asks for something else now",
    ]);
    expect(refusal(release, { ...release, desired: { ...release.desired, models: [kept] } })).toEqual(["a manifest wants it in memory"]);
    expect(refusal(release, { ...release, memory: { ...emptyMemory, inventory: [own()] } })).toEqual(["Holdfast did not load it"]);
    expect(refusal(stale, { ...stale, memory: emptyMemory, desired: { ...stale.desired, models: [] } })).toEqual(["Holdfast does not own it"]);
  });

  it("cannot name another place than its work", () => {
    const [action] = plan(loadInput).actions;
    if (action === undefined) throw new Error("the sample plan loads");
    const forged = { ...action, work: { verb: "load", request: { ref: ref("other"), keep: "forever" } } } as const;
    expect(refusalOf(forged, assessAll(loadInput), loadInput)).toContain("contradicts itself");
  });
});
