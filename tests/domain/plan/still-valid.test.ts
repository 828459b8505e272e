import { describe, expect, it } from "vitest";
import type { Action } from "../../../src/domain/action.ts";
import { emptyMemory, type Memory } from "../../../src/domain/inventory.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { PlanInput } from "../../../src/domain/plan/plan-input.ts";
import { assessAll, plan } from "../../../src/domain/plan/plan.ts";
import { refusalOf } from "../../../src/domain/plan/still-valid.ts";
import { backendOf, holdingOf, lockOf, modelOf, ollamaContent } from "../../fakes/content.ts";
import { now, planOptions } from "./world.ts";

const store = "ollama:local" as const;
const ref = "registry.ollama.ai/library/old:1b";
const content = ollamaContent("old");
const old = modelOf("old", { kind: "ollama", model: "old:1b" });
const other = modelOf("other", { kind: "ollama", model: "other:1b" });
const memory: Memory = {
  ...emptyMemory,
  inventory: [{ name: "old", store, ref, contentId: content.id, origin: "pulled", since: now, sizeBytes: 1, protect: false }],
  deprecations: [{ name: "old", store, ref, since: "2026-01-01T00:00:00.000Z", reason: "not-in-manifests", confirmations: 2 }],
};

function inputOf(models: readonly Model[], more: Partial<PlanInput> = {}): PlanInput {
  return {
    desired: { revision: { dirty: false, digest: "d" }, models, roles: [], backends: [backendOf("local")], policies: [] },
    lock: { version: 1, entries: [] },
    observed: {
      at: now,
      level: "stat",
      stores: [{ state: "observed", store, complete: true, holdings: [holdingOf(store, ref, content)], unreadable: [], warnings: [] }],
      serving: [],
    },
    upstream: {},
    memory,
    options: planOptions,
    now,
    toolVersion: "test",
    nameFor: (holding) => holding.ref,
    ...more,
  };
}

const refusal = (action: Action, input: PlanInput): string | undefined => refusalOf(action, assessAll(input), input);

describe("a saved plan is only a wish", () => {
  const [purge] = plan(inputOf([other])).actions.filter((action) => action.verb === "purge");
  if (purge === undefined) throw new Error("the sample plan purges");

  it("what nobody wants any more may still be purged", () => {
    expect(refusal(purge, inputOf([other]))).toBeUndefined();
  });

  it.each([
    ["a manifest wants it again", inputOf([old, other]), "a manifest wants it again"],
    [
      "it is protected since",
      inputOf([other], { memory: { ...memory, inventory: memory.inventory.map((item) => ({ ...item, protect: true })) } }),
      "it is protected",
    ],
    ["the inventory was lost", inputOf([other], { memory: emptyMemory }), "Holdfast does not own it"],
    ["it was undeprecated", inputOf([other], { memory: { ...memory, deprecations: [] } }), "it is not deprecated any more"],
    ["it was locked since", inputOf([other], { lock: { version: 1, entries: [lockOf(old, ref, content)] } }), "it is locked"],
  ] as const)("a purge is refused when %s", (_why, input, reason) => {
    expect(refusal(purge, input)).toBe(reason);
  });

  it("a forged plan cannot delete or write what it does not name", () => {
    const forged: Action = {
      ...purge,
      store: "directory",
      ref: "/victim",
      preconditions: [],
      work: { verb: "purge", request: { ref: "/victim", quarantine: false } },
    };
    expect(refusal(forged, inputOf([other]))).toBe("Holdfast does not own it");
    expect(refusal({ ...purge, work: { verb: "purge", request: { ref: "/victim", quarantine: false } } }, inputOf([other]))).toContain(
      "contradicts itself",
    );
    expect(refusal({ ...purge, preconditions: [] }, inputOf([other]))).toContain("does not say what it looked like");
    const write: Action = {
      ...purge,
      verb: "pull",
      name: "other",
      store: "directory",
      ref: "/etc",
      work: {
        verb: "pull",
        request: { kind: "huggingface", repo: "org/x", commit: "0".repeat(40), files: [], layout: "dir", dir: "/etc", refs: [] },
      },
    };
    expect(refusal(write, inputOf([other]))).toBe("its manifest puts it somewhere else now");
  });
});
