import { describe, expect, it } from "vitest";
import { launchOf } from "../../../src/domain/activation/launch.ts";
import { emptyRecord, type ActivationObservation, type ServingTarget } from "../../../src/domain/activation/activation.ts";
import type { Assessment } from "../../../src/domain/plan/assess.ts";
import type { Backend } from "../../../src/domain/backend.ts";
import { emptyMemory } from "../../../src/domain/inventory.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { Holding, ServingObservation } from "../../../src/domain/observed.ts";
import type { ActionDraft, PlanInput } from "../../../src/domain/plan/plan-input.ts";
import { act, nothing } from "../../../src/domain/plan/plan-input.ts";
import { planServing, sourcesInUse } from "../../../src/domain/plan/plan-serving.ts";
import { backendOf, modelOf } from "../../fakes/content.ts";
import { now, planOptions } from "./world.ts";

const sha = "a".repeat(64);
const holding: Holding = {
  store: "directory",
  ref: "/models/qwen",
  names: [],
  artifacts: [{ path: "config.json", size: 2, blob: "config.json", found: { state: "present", level: "stat", sha256: sha, verifiedAt: now } }],
  facts: { capabilities: {} },
  location: "/models/qwen",
};

function model(changes: Partial<Model> = {}): Model {
  return modelOf("qwen", { kind: "path", dir: "/models/qwen" }, { backend: "gpu", ...changes });
}

function backend(changes: Partial<Backend> = {}): Backend {
  return backendOf("gpu", { type: "vllm", url: "http://127.0.0.1:24001", active: { kind: "model", name: "qwen" }, ...changes });
}

function held(of: Model = model(), changes: Partial<Extract<Assessment, { state: "held" }>> = {}): Assessment {
  return { state: "held", model: of, store: "directory", holding, identity: "unlocked", defects: [], unverified: [], ...changes };
}

const idle: ActivationObservation = {
  state: "observed",
  backend: "gpu",
  record: emptyRecord("gpu", 24001, 1000),
  ours: [],
  listening: false,
  strangers: [],
};

function input(
  changes: {
    readonly backends?: readonly Backend[];
    readonly activations?: readonly ActivationObservation[];
    readonly serving?: readonly ServingObservation[];
    readonly options?: PlanInput["options"];
    readonly models?: readonly Model[];
  } = {},
): PlanInput {
  return {
    desired: {
      revision: { dirty: false, digest: "d" },
      models: changes.models ?? [model()],
      roles: [],
      backends: changes.backends ?? [backend()],
      policies: [],
    },
    lock: { version: 1, entries: [] },
    observed: { at: now, level: "stat", stores: [], serving: changes.serving ?? [{ state: "down", backend: "gpu" }] },
    upstream: {},
    memory: emptyMemory,
    activations: changes.activations ?? [idle],
    options: changes.options ?? planOptions,
    now,
    toolVersion: "0",
    nameFor: () => "x",
  };
}

function target(): ServingTarget {
  const launch = launchOf(backend(), model(), holding);
  if ("problem" in launch) throw new Error(launch.problem);
  return launch.target;
}

const leader = { pid: 7, started: "boot:1" };
const running: ActivationObservation = {
  ...idle,
  record: {
    ...emptyRecord("gpu", 24001, 1000),
    committed: { target: target(), instance: "s.d.i", leader, port: 24001, log: "/log", spawnedAt: now, committedAt: now },
  },
  ours: [{ ...leader, parent: 1, group: 7, session: 7, startedAt: now, command: ["vllm"], instance: "s.d.i" }],
  listening: true,
};
const serving: ServingObservation = { state: "serving", backend: "gpu", healthy: true, models: [{ id: "qwen", root: "/models/qwen" }] };

describe("the plan", () => {
  it("S1.11 S1.45 shows the exact launch, why, and how long nothing is served", () => {
    const part = planServing([held()], input());
    expect(part.blocked).toEqual([]);
    expect(part.actions).toEqual([
      expect.objectContaining({
        object: "backend/gpu",
        verb: "activate",
        name: "qwen",
        store: "directory",
        ref: "/models/qwen",
        cause: "backend",
        work: {
          verb: "activate",
          backend: "gpu",
          model: "qwen",
          target: target().digest,
          argv: ["vllm", "serve", "/models/qwen", "--host", "127.0.0.1", "--port", "24001", "--served-model-name", "qwen"],
        },
        preconditions: [expect.objectContaining({ kind: "unchanged", ref: "/models/qwen" })],
        reason: "nothing serves; it has 15 min to start, its start was never timed here",
      }),
    ]);
  });

  it("S1.11 is empty when the declared model serves, and for backends that are not managed", () => {
    expect(planServing([held()], input({ activations: [running], serving: [serving] }))).toEqual(nothing);
    const { active: _, ...unmanaged } = backend();
    expect(planServing([held()], input({ backends: [unmanaged] }))).toEqual(nothing);
  });

  it("S1.11 compares a server on another machine and never switches it", () => {
    const far = { activations: [{ state: "elsewhere", backend: "gpu" }] } as const;
    const others: ServingObservation = { ...serving, models: [{ id: "other" }] };
    expect(planServing([held()], input({ ...far, serving: [serving] }))).toEqual(nothing);
    const different = planServing([held()], input({ ...far, serving: [others] }));
    expect(different.actions).toEqual([]);
    expect(different.blocked).toEqual([expect.objectContaining({ cause: "backend", reason: "gpu serves other instead of qwen" })]);
    const failure = { code: "timeout", retry: "transient", message: "no answer" } as const;
    const unknown = planServing([held()], input({ ...far, serving: [{ state: "unknown", backend: "gpu", failure }] }));
    expect(unknown.blocked).toEqual([expect.objectContaining({ cause: "unknown", reason: "no answer", failure })]);
  });

  it("S1.46 stops what is declared as none", () => {
    const part = planServing([held()], input({ backends: [backend({ active: { kind: "none" } })], activations: [running], serving: [serving] }));
    expect(part.actions).toEqual([
      expect.objectContaining({ verb: "deactivate", work: { verb: "deactivate", backend: "gpu" }, reason: "nothing may be served; qwen is" }),
    ]);
  });

  it("S1.45 starts a model that arrives in the same plan, after it has arrived", () => {
    const pull: ActionDraft = {
      object: "model/qwen",
      verb: "pull",
      name: "qwen",
      store: "directory",
      ref: "/models/qwen",
      cause: "missing",
      reason: "",
      risk: "low",
      bytesToDownload: 1,
      sizeUnknown: false,
      bytesToFree: 0,
      work: { verb: "import" },
      preconditions: [],
      after: [],
    };
    const missing: Assessment = { state: "missing", model: model(), store: "directory", ref: "/models/qwen" };
    const part = planServing([missing], input(), { declared: act(pull) });
    expect(part.actions).toEqual([expect.objectContaining({ verb: "activate", ref: "/models/qwen", after: ["model/qwen pull"], preconditions: [] })]);
    const hash: ActionDraft = { ...pull, verb: "hash" };
    expect(planServing([held()], input(), { declared: act(hash) }).actions).toEqual([
      expect.objectContaining({ verb: "activate", after: ["model/qwen hash"] }),
    ]);
    expect(planServing([missing], input()).blocked).toEqual([expect.objectContaining({ object: "backend/gpu", cause: "missing" })]);
  });

  it.each<[string, readonly Assessment[], string, string]>([
    ["is absent", [], "config", "active names qwen, and no Model is called so"],
    [
      "is deprecated",
      [held(model({ lifecycle: { state: "deprecated", replacedBy: "qwen3" } }))],
      "lifecycle",
      "active names qwen, which is deprecated",
    ],
    ["is on another backend", [held(model({ backend: "elsewhere" }))], "config", "active names qwen, which belongs to backend elsewhere"],
    ["is remote", [{ state: "remote", model: model() }], "config", "qwen has no files on this machine that could be served"],
    ["is missing", [{ state: "missing", model: model(), store: "directory" }], "missing", "qwen is not on this machine"],
    [
      "is not known to be here",
      [{ state: "unknown", model: model(), store: "directory", failure: { code: "timeout", retry: "transient", message: "m" } }],
      "unknown",
      "whether qwen is here is not known: m",
    ],
    [
      "has defects",
      [held(model(), { defects: [{ kind: "corrupt", path: "config.json", blob: "b", expected: "1", actual: "2" }] })],
      "corrupt",
      "qwen is not started: config.json has wrong bytes (expected 1, got 2)",
    ],
    [
      "has other content than the lock",
      [held(model(), { identity: "different" })],
      "digest",
      "qwen has other content than the lock, so it is not started",
    ],
    ["must be locked and is not", [held(model({ lock: { required: true } }))], "unverified", "qwen must be locked before it is served"],
    [
      "has arguments of Holdfast's own",
      [held(model({ launch: { args: ["--port", "1"], env: {} } }))],
      "config",
      "qwen cannot be started: launch.args sets --port, which Holdfast sets and checks itself",
    ],
  ])("S1.11 does not start a model that %s, and says so", (_, assessments, cause, reason) => {
    const part = planServing(assessments, input());
    expect(part.actions).toEqual([]);
    expect(part.blocked).toEqual([expect.objectContaining({ object: "backend/gpu", cause, reason })]);
  });

  it("S1.11 does not start a model that breaks the contract of its role", () => {
    const part = planServing([held()], input(), { unfit: new Map([["qwen", "role caption needs vision"]]) });
    expect(part.blocked).toEqual([
      expect.objectContaining({ cause: "role", reason: "active names qwen, which does not fit: role caption needs vision" }),
    ]);
  });

  it("stops servers whose backend left the manifests, within the limits of pruning", () => {
    const left = { backends: [], activations: [running], models: [model()] };
    expect(planServing([], input(left)).actions).toEqual([expect.objectContaining({ verb: "deactivate", cause: "extra", object: "backend/gpu" })]);
    expect(planServing([], input({ ...left, options: { ...planOptions, prune: { ...planOptions.prune, mode: "off" } } }))).toEqual(nothing);
    const empty = planServing([], input({ ...left, models: [] }));
    expect(empty.actions).toEqual([]);
    expect(empty.blocked).toEqual([expect.objectContaining({ cause: "guard", remedy: "holdfast reconcile --allow-empty" })]);
  });

  it("F17 names the files that a server runs from or is put back from", () => {
    expect(sourcesInUse([running, idle])).toEqual([{ backend: "gpu", store: "directory", ref: "/models/qwen" }]);
  });
});
