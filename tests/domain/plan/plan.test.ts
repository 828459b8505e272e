import { describe, expect, it } from "vitest";
import { emptyRecord } from "../../../src/domain/activation/activation.ts";
import type { Plan } from "../../../src/domain/action.ts";
import { diff } from "../../../src/domain/plan/diff.ts";
import { emptyMemory, type InventoryItem, type Memory } from "../../../src/domain/inventory.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { Holding, Observation, StoreId } from "../../../src/domain/observed.ts";
import type { PlanInput } from "../../../src/domain/plan/plan-input.ts";
import { assessAll, plan, withVerdicts } from "../../../src/domain/plan/plan.ts";
import { backendOf, holdingOf, hubContent, lockOf, modelOf, ollamaContent, upstreamOf, type Content } from "../../fakes/content.ts";
import { now, planOptions } from "./world.ts";

const store: StoreId = "ollama:local";
const ref = (name: string): string => `registry.ollama.ai/library/${name}`;
const chat = modelOf("chat", { kind: "ollama", model: "chat:1b" });
const one = ollamaContent("one");
const two = ollamaContent("two");
const day = 86_400_000;
const ago = (days: number): string => new Date(Date.parse(now) - days * day).toISOString();

function observed(holdings: readonly Holding[], name: StoreId = store): Observation {
  return { state: "observed", store: name, complete: true, holdings, unreadable: [], warnings: [] };
}

function own(name: string, content: Content, more: Partial<InventoryItem> = {}): InventoryItem {
  return { name, store, ref: ref(`${name}:1b`), contentId: content.id, origin: "pulled", since: ago(30), sizeBytes: 1, protect: false, ...more };
}

function deprecated(name: string, days: number, confirmations = 2): Memory["deprecations"][number] {
  return { name, store, ref: ref(`${name}:1b`), since: ago(days), reason: "not-in-manifests", confirmations };
}

interface Case {
  readonly models?: readonly Model[];
  readonly stores?: readonly Observation[];
  readonly memory?: Partial<Memory>;
  readonly locks?: PlanInput["lock"]["entries"];
  readonly upstream?: PlanInput["upstream"];
  readonly options?: Partial<PlanInput["options"]>;
  readonly desired?: Partial<PlanInput["desired"]>;
}

function inputOf(given: Case): PlanInput {
  return {
    desired: {
      revision: { dirty: false, digest: "d" },
      models: given.models ?? [chat],
      roles: [],
      backends: [backendOf("local")],
      policies: [],
      ...given.desired,
    },
    lock: { version: 1, entries: given.locks ?? [] },
    observed: { at: now, level: "stat", stores: given.stores ?? [observed([])], serving: [] },
    upstream: given.upstream ?? {},
    memory: { ...emptyMemory, ...given.memory },
    options: { ...planOptions, acceptLoss: false, ...given.options },
    now,
    toolVersion: "test",
    nameFor: (holding) => `found ${holding.ref}`,
  };
}

function lines(decided: Plan): readonly string[] {
  const actions = decided.actions.map((action) => `${action.verb} ${action.object}: ${action.reason}`);
  return [...actions, ...decided.blocked.map((item) => `blocked ${item.object} [${item.cause}]: ${item.reason}`)];
}

const planned = (given: Case): readonly string[] => lines(plan(inputOf(given)));

describe("fetching", () => {
  it("S2.4 pulls what is missing, with the size of the blobs that are not here", () => {
    const other = holdingOf(store, ref("other:1b"), two);
    const decided = plan(inputOf({ stores: [observed([other])], upstream: { chat: upstreamOf("ollama", one) } }));
    expect(lines(decided)).toEqual(["pull model/chat: not on this machine"]);
    expect(decided.summary.bytesToDownload).toBe(1003);
  });

  it("serves the locked manifest from loopback when the tag has moved upstream", () => {
    const decided = plan(inputOf({ locks: [lockOf(chat, ref("chat:1b"), one)], upstream: { chat: upstreamOf("ollama", two) } }));
    expect(lines(decided)).toEqual(["pull model/chat: not on this machine; the tag has moved upstream"]);
    expect(decided.actions[0]?.work).toMatchObject({ verb: "pull", request: { pin: { digest: one.id, manifest: one.manifest } } });
  });

  it("blocks with not re-fetchable when the locked layers are gone upstream", () => {
    const upstream = { state: "resolved", kind: "ollama", digest: two.id, manifest: two.manifest, files: two.files, missingBlobs: ["abc"] } as const;
    const [line] = planned({ locks: [lockOf(chat, ref("chat:1b"), one)], upstream: { chat: upstream } });
    expect(line).toContain("blocked model/chat [missing]: not on this machine; not re-fetchable");
  });

  it("tags content that is already here under another name instead of pulling it", () => {
    expect(
      planned({
        locks: [lockOf(chat, ref("chat:1b"), one)],
        stores: [observed([holdingOf(store, ref("twin:1b"), one)])],
        upstream: { chat: upstreamOf("ollama", one) },
      }),
    ).toEqual([`tag model/chat: the locked content is already here as ${ref("twin:1b")}`]);
  });

  it("blocks a pull whose hub cannot be asked, as unknown", () => {
    const hub = modelOf("hub", { kind: "huggingface", repo: "org/hub", revision: "main", include: [], exclude: [], layout: "cache" });
    const failure = { code: "unreachable", retry: "transient", message: "no answer" } as const;
    expect(planned({ models: [hub], stores: [observed([], "huggingface")], upstream: { hub: { state: "failed", failure } } })).toEqual([
      "blocked model/hub [unknown]: not on this machine; no answer",
    ]);
  });

  it("never fetches a folder that somebody else fills", () => {
    const folder = modelOf("folder", { kind: "path", dir: "/models/x" });
    expect(planned({ models: [folder], stores: [observed([], "directory")] })).toEqual([
      "blocked model/folder [missing]: not on this machine; its folder is filled by somebody else",
    ]);
  });
});

describe("drift of what is here", () => {
  it("a manifest that was written anew with the same layers is no drift (ollama PR 17436)", () => {
    const rewritten = { ...holdingOf(store, ref("chat:1b"), one), contentId: "f".repeat(64), manifest: `${one.manifest}\n` };
    expect(
      planned({ locks: [lockOf(chat, ref("chat:1b"), one)], stores: [observed([rewritten])], memory: { inventory: [own("chat", one)] } }),
    ).toEqual([]);
  });

  it("a flipped byte is repaired, and the drift names layer and both digests (ollama 17520)", () => {
    const holding = holdingOf(store, ref("chat:1b"), one);
    const [weights, template] = holding.artifacts;
    if (weights === undefined || template === undefined) throw new Error("the sample has two layers");
    const spoilt = {
      ...holding,
      artifacts: [{ ...weights, found: { state: "present", level: "full", sha256: "0".repeat(64), verifiedAt: now } as const }, template],
    };
    const input = inputOf({
      locks: [lockOf(chat, ref("chat:1b"), one)],
      stores: [observed([spoilt])],
      memory: { inventory: [own("chat", one)] },
      upstream: { chat: upstreamOf("ollama", one) },
    });
    const decided = plan(input);
    expect(decided.actions.map((action) => action.work)).toMatchObject([{ verb: "repair", request: { bad: [weights.path] } }]);
    expect(diff(assessAll(input), decided, input)).toMatchObject([
      { class: "corrupt", path: weights.path, expected: weights.declaredSha256, actual: "0".repeat(64), response: "repair" },
    ]);
  });

  it("other content under a locked tag that we did not put there is not replaced without a word", () => {
    const given: Case = {
      locks: [lockOf(chat, ref("chat:1b"), one)],
      stores: [observed([holdingOf(store, ref("chat:1b"), two)])],
      upstream: { chat: upstreamOf("ollama", one) },
    };
    expect(planned(given)[0]).toContain("blocked model/chat [digest]");
    expect(planned({ ...given, options: { replace: ["chat"] } })[0]).toContain("pull model/chat: content is");
    expect(planned({ ...given, memory: { inventory: [own("chat", two)] } })[0]).toContain("pull model/chat: content is");
  });

  it("locked bytes that nobody hashed since they changed are hashed", () => {
    expect(
      planned({
        locks: [lockOf(chat, ref("chat:1b"), one)],
        stores: [observed([holdingOf(store, ref("chat:1b"), one, { level: "presence" })])],
        memory: { inventory: [own("chat", one)] },
      }),
    ).toEqual(["hash model/chat: 2 locked files were not hashed since they last changed"]);
  });

  it("F03 what is here already is adopted without a transfer", () => {
    expect(planned({ stores: [observed([holdingOf(store, ref("chat:1b"), one)])] })).toEqual([
      "import model/chat: declared and already here: take it into the inventory, no bytes move",
    ]);
  });

  it("a lock that speaks about another source blocks", () => {
    expect(planned({ locks: [lockOf(chat, ref("other:1b"), one)] })[0]).toContain("blocked model/chat [config]: the lock is for");
  });

  it("a runner that still serves older content is reported as stale", () => {
    const holding = { ...holdingOf(store, ref("chat:1b"), one), loaded: { ref: ref("chat:1b"), digest: two.id, sizeVram: 0 } };
    const input = inputOf({ stores: [observed([holding])], memory: { inventory: [own("chat", one)] } });
    expect(diff(assessAll(input), plan(input), input)).toMatchObject([{ class: "stale-runner", expected: one.id, actual: two.id }]);
  });
});

describe("leaving", () => {
  const here = (name: string, content: Content): Holding => holdingOf(store, ref(`${name}:1b`), content);
  const kept = { models: [chat], stores: [observed([here("chat", one), here("old", two)])] };
  const inventory = [own("chat", one), own("old", two)];

  it("what left the manifests is deprecated first, then purged after the grace period", () => {
    expect(planned({ ...kept, memory: { inventory } })).toEqual([`deprecate model/old: ${ref("old:1b")} is not in the manifests any more`]);
    expect(planned({ ...kept, memory: { inventory, deprecations: [deprecated("old", 6)] } })).toEqual([]);
    expect(planned({ ...kept, memory: { inventory, deprecations: [deprecated("old", 8)] } })).toEqual([
      "purge model/old: deprecated 8 days ago, grace is over; not re-fetchable, the bytes go to quarantine",
    ]);
  });

  it("purging frees only blobs that no other model uses", () => {
    const decided = plan(inputOf({ ...kept, memory: { inventory, deprecations: [deprecated("old", 8)] } }));
    expect(decided.summary.bytesToFree).toBe(1003);
  });

  it("bytes that the registry still offers are not kept in quarantine", () => {
    const upstream = { [`${store}|${ref("old:1b")}`]: upstreamOf("ollama", two) };
    expect(planned({ ...kept, memory: { inventory, deprecations: [deprecated("old", 8)] }, upstream })).toEqual([
      "purge model/old: deprecated 8 days ago, grace is over",
    ]);
  });

  it("one observation is not enough to purge", () => {
    const decided = plan(inputOf({ ...kept, memory: { inventory, deprecations: [deprecated("old", 8, 0)] } }));
    expect(lines(decided)).toEqual([]);
    expect(decided.bookkeeping).toMatchObject([{ kind: "deprecate", deprecation: { confirmations: 1 } }]);
  });

  it("S0.32 a deprecation is undone when the model comes back", () => {
    expect(
      planned({
        models: [chat],
        stores: [observed([here("chat", one)])],
        memory: { inventory: [own("chat", one)], deprecations: [deprecated("chat", 3)] },
      }),
    ).toEqual(["undeprecate model/chat: declared as active again"]);
  });

  it.each([
    ["locked", { locks: [lockOf(modelOf("old", { kind: "ollama", model: "old:1b" }), ref("old:1b"), two)] }, "it is locked"],
    [
      "a role's target",
      { desired: { roles: [{ kind: "Role", metadata: { ...chat.metadata, name: "coder" }, requires: [], prefer: ["old"] }] } },
      "role coder points at it",
    ],
  ] as const)("never purges what is %s", (_what, more, reason) => {
    const decided = planned({ ...kept, ...more, memory: { inventory, deprecations: [deprecated("old", 8)] } });
    expect(decided).toContain(`blocked model/old [guard]: ${reason}`);
    expect(decided.filter((line) => line.startsWith("purge"))).toEqual([]);
  });

  it("never purges what a server has in memory", () => {
    const loaded = { ...here("old", two), loaded: { ref: ref("old:1b"), sizeVram: 1 } };
    expect(
      planned({ models: [chat], stores: [observed([here("chat", one), loaded])], memory: { inventory, deprecations: [deprecated("old", 8)] } }),
    ).toEqual(["blocked model/old [guard]: a server has it in memory"]);
  });

  it("S1.11 never purges what a server of ours runs from, or would be put back to", () => {
    const target = {
      model: "old",
      servedId: "old",
      source: { store, ref: ref("old:1b") },
      content: two.id,
      argv: ["llama-server"],
      env: {},
      files: [],
      digest: "d",
    } as const;
    const record = {
      ...emptyRecord("gpu", 8080, 1000),
      pending: { phase: "stopping", purpose: "switch", since: now, target } as const,
    };
    const activations = [{ state: "observed", backend: "gpu", record, ours: [], listening: false, strangers: [] } as const];
    const input = inputOf({ ...kept, memory: { inventory, deprecations: [deprecated("old", 8)] } });
    expect(lines(plan({ ...input, activations }))).toEqual(["blocked model/old [guard]: gpu serves from it, or would be put back to it"]);
  });

  it("never purges what is protected, and never what the inventory does not list", () => {
    expect(
      planned({ ...kept, memory: { inventory: [own("chat", one), own("old", two, { protect: true })], deprecations: [deprecated("old", 80)] } }),
    ).toEqual([]);
    expect(planned({ ...kept, memory: { inventory: [own("chat", one)], deprecations: [deprecated("old", 80)] } })).toEqual([]);
  });

  it("F20 a lost inventory means that nothing is owned and nothing is purged", () => {
    expect(planned({ ...kept, memory: {} })).toEqual(["import model/chat: declared and already here: take it into the inventory, no bytes move"]);
  });

  it("names are compared exactly: gemma3 keeps neither gemma3:27b nor my-gemma3-lora, and gemma3 is gemma3:latest (nixpkgs and helm regressions)", () => {
    const gemma = modelOf("gemma", { kind: "ollama", model: "gemma3" });
    const items = ["gemma3:latest", "gemma3:27b", "my-gemma3-lora:latest"].map((name, index) =>
      own(name, ollamaContent(String(index)), { ref: ref(name) }),
    );
    const holdings = items.map((item, index) => holdingOf(store, item.ref, ollamaContent(String(index))));
    const mine = { ...(items[0] ?? own("gemma", one)), name: "gemma" };
    const decided = planned({ models: [gemma], stores: [observed(holdings)], memory: { inventory: [mine, ...items.slice(1)] } });
    expect(decided.map((line) => line.split(":")[0])).toEqual(["deprecate model/gemma3", "deprecate model/my-gemma3-lora"]);
  });

  it("a model whose place moved keeps its old bytes until the new ones are there", () => {
    const moved = modelOf("chat", { kind: "ollama", model: "chat:2b" });
    const memory = { inventory: [own("chat", one)] };
    expect(planned({ models: [moved], stores: [observed([here("chat", one)])], memory, upstream: { chat: upstreamOf("ollama", two) } })).toEqual([
      "pull model/chat: not on this machine",
    ]);
    const after = { inventory: [own("chat", one), own("chat", two, { ref: ref("chat:2b") })] };
    const settled = plan(inputOf({ models: [moved], stores: [observed([here("chat", one), holdingOf(store, ref("chat:2b"), two)])], memory: after }));
    expect(lines(settled)).toEqual([]);
    expect(settled.bookkeeping).toMatchObject([{ kind: "deprecate", deprecation: { ref: ref("chat:1b") } }]);
  });

  it("mode forget disowns and deletes nothing, mode off does nothing", () => {
    expect(planned({ ...kept, memory: { inventory }, options: { prune: { ...planOptions.prune, mode: "forget" } } })).toEqual([
      "forget model/old: no longer declared; its bytes stay",
    ]);
    expect(planned({ ...kept, memory: { inventory }, options: { prune: { ...planOptions.prune, mode: "off" } } })).toEqual([]);
  });

  it("a Hub model on a branch keeps its commit when the branch moves", () => {
    const hub = modelOf("hub", { kind: "huggingface", repo: "org/hub", revision: "main", include: [], exclude: [], layout: "cache" });
    const first = hubContent("first");
    const second = hubContent("second");
    const item = own("hub", first, { store: "huggingface", ref: `org/hub@${first.id}`, revision: "main" });
    const holdings = [
      holdingOf("huggingface", `org/hub@${first.id}`, first),
      holdingOf("huggingface", `org/hub@${second.id}`, second, { names: ["main"] }),
    ];
    expect(planned({ models: [hub], stores: [observed(holdings, "huggingface")], memory: { inventory: [item] } })).toEqual([]);
  });
});

describe("guards", () => {
  const many = Array.from({ length: 8 }, (_, index) => `m${index}`);
  const inventory = many.map((name) => own(name, ollamaContent(name)));
  const stores = [observed([...many.map((name) => holdingOf(store, ref(`${name}:1b`), ollamaContent(name))), holdingOf(store, ref("chat:1b"), one)])];
  const deprecations = many.map((name) => deprecated(name, 20));

  it("mass deletion needs the exact number confirmed", () => {
    const given: Case = { stores, memory: { inventory: [...inventory, own("chat", one)], deprecations } };
    expect(plan(inputOf(given)).actions).toEqual([]);
    expect(planned(given)[0]).toContain("[guard]: purge withheld: 8 of 9 models would be deleted at once");
    const confirm = (confirmedDeletions: number): number =>
      plan(inputOf({ ...given, options: { prune: { ...planOptions.prune, confirmedDeletions } } })).summary.destructive;
    expect([confirm(7), confirm(8), confirm(9)]).toEqual([0, 8, 0]);
  });

  it("SEC-34 an empty desired state deletes nothing unless it is confirmed", () => {
    const given: Case = { models: [], stores, memory: { inventory } };
    expect(plan(inputOf(given)).actions).toEqual([]);
    expect(planned(given)[0]).toContain("the manifests declare no model at all");
    expect(plan(inputOf({ ...given, options: { prune: { ...planOptions.prune, allowEmpty: true } } })).summary.actions).toEqual({ deprecate: 8 });
  });

  it("F11 a store that cannot be observed leads to no action and is said once", () => {
    const failure = { code: "unreachable", retry: "transient", message: "ollama does not answer" } as const;
    const decided = plan(
      inputOf({ stores: [{ state: "unknown", store, failure }], memory: { inventory: [...inventory, own("chat", one)], deprecations } }),
    );
    expect(decided.actions).toEqual([]);
    expect(decided.summary.unknown).toBe(2);
  });

  it("F12 half a list is believed only when it is seen twice, 30 seconds apart", () => {
    const models = many.map((name) => modelOf(name, { kind: "ollama", model: `${name}:1b` }));
    const half = [observed(many.slice(0, 4).map((name) => holdingOf(store, ref(`${name}:1b`), ollamaContent(name))))];
    const upstream = Object.fromEntries(many.map((name) => [name, upstreamOf("ollama", ollamaContent(name))]));
    const first = plan(inputOf({ models, stores: half, memory: { inventory }, upstream }));
    expect(first.actions).toEqual([]);
    expect(first.blocked[0]?.reason).toContain("suspicious observation: 4 of 8 models vanished");
    const suspicion = first.bookkeeping.flatMap((change) => (change.kind === "suspect" ? [change.suspicion] : []));
    const earlier = suspicion.map((item) => ({ ...item, firstSeen: new Date(Date.parse(now) - 31_000).toISOString() }));
    expect(plan(inputOf({ models, stores: half, memory: { inventory, suspicions: suspicion }, upstream })).actions).toEqual([]);
    expect(plan(inputOf({ models, stores: half, memory: { inventory, suspicions: earlier }, upstream })).summary.actions).toEqual({ pull: 4 });
  });

  it("what a policy denies is blocked, and the digest of the plan changes with it", () => {
    const before = plan(inputOf({ upstream: { chat: upstreamOf("ollama", one) } }));
    const after = withVerdicts(before, [{ rule: "licence", effect: "deny", message: "no licence", actionId: "a1" }]);
    expect(lines(after)).toEqual(["blocked model/chat [policy]: pull denied by policy licence: no licence"]);
    expect(after.summary.bytesToDownload).toBe(0);
    expect(after.digest).not.toBe(before.digest);
  });
});
