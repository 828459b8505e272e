import { describe, expect, it } from "vitest";
import type { Assessment } from "../../src/domain/plan/assess.ts";
import { diff } from "../../src/domain/plan/diff.ts";
import { emptyMemory } from "../../src/domain/inventory.ts";
import type { Model } from "../../src/domain/model.ts";
import type { Holding, ModelFacts } from "../../src/domain/observed.ts";
import { assessAll, plan } from "../../src/domain/plan/plan.ts";
import type { PlanInput } from "../../src/domain/plan/plan-input.ts";
import { unfitModels } from "../../src/domain/plan/plan-roles.ts";
import { contractOf, fitContract } from "../../src/domain/role-contract.ts";
import type { Role } from "../../src/domain/role.ts";
import { backendOf, holdingOf, modelOf, ollamaContent } from "../fakes/content.ts";
import { now, planOptions } from "./plan/world.ts";

const role = (name: string, more: Partial<Role> = {}): Role => ({
  kind: "Role",
  metadata: { name, labels: {}, annotations: {}, location: { file: "manifests/roles.yaml", line: 3, column: 1 } },
  requires: [],
  prefer: [],
  ...more,
});
const model = (name: string, more: Partial<Model> = {}): Model => modelOf(name, { kind: "ollama", model: `${name}:1b` }, more);
const claims = (...roles: readonly string[]): Partial<Model> => ({ roles: roles.map((each) => ({ role: each, priority: 0 })) });
const held = (name: string, facts: Partial<ModelFacts>): Holding => ({
  ...holdingOf("ollama:local", `registry.ollama.ai/library/${name}:1b`, ollamaContent(name)),
  facts: { capabilities: {}, ...facts },
});
const says = (values: Readonly<Record<string, boolean>>, from: "show" | "name" = "show"): Pick<ModelFacts, "capabilities"> => ({
  capabilities: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, from }])),
});

function inputOf(roles: readonly Role[], models: readonly Model[], holdings: readonly Holding[] = []): PlanInput {
  return {
    desired: { revision: { dirty: false, digest: "d" }, models, roles, backends: [backendOf("local")], policies: [] },
    lock: { version: 1, entries: [] },
    observed: {
      at: now,
      level: "stat",
      stores: [{ state: "observed", store: "ollama:local", complete: true, holdings, unreadable: [], warnings: [] }],
      serving: [],
    },
    upstream: {},
    memory: emptyMemory,
    options: planOptions,
    now,
    toolVersion: "test",
    nameFor: (holding) => holding.ref,
  };
}

function outcome(input: PlanInput): { readonly blocked: readonly string[]; readonly drift: readonly string[]; readonly verbs: readonly string[] } {
  const decided = plan(input);
  const assessments: readonly Assessment[] = assessAll(input);
  return {
    blocked: decided.blocked.filter((item) => item.cause === "role").map((item) => `${item.object}: ${item.reason}`),
    drift: diff(assessments, decided, input)
      .filter((each) => each.class === "role")
      .map((each) => `${each.object}: ${each.message}`),
    verbs: decided.actions.map((action) => action.verb),
  };
}

describe("roles as contracts in the plan", () => {
  it("S2.6 S3.87 says before any download that nobody fills a role, or only a model that is deprecated", () => {
    const message = "role/caption: no model fills the role caption";
    expect(outcome(inputOf([role("caption")], [model("a")]))).toEqual({ blocked: [message], drift: [message], verbs: ["pull"] });
    expect(outcome(inputOf([role("caption")], [model("a", { ...claims("caption"), lifecycle: { state: "deprecated" } })])).blocked).toEqual([
      message,
    ]);
  });

  it("holds nothing against a model of which nothing is known yet, and believes no guess", () => {
    const roles = [role("caption", { requires: ["vision"], minContext: 8192, prefer: ["a"] })];
    expect(outcome(inputOf(roles, [model("a")]))).toMatchObject({ blocked: [], drift: [] });
    expect(outcome(inputOf(roles, [model("a")], [held("a", says({ vision: false }, "name"))]))).toMatchObject({ blocked: [], drift: [] });
    expect(fitContract(contractOf("caption", roles[0]), { capabilities: new Map() })).toEqual({
      state: "open",
      unknown: ["vision", "context length"],
    });
  });

  it("S1.5 S1.6 blocks where the manifest itself, or what was observed, says that the preferred model cannot", () => {
    const roles = [role("see", { requires: ["vision"], prefer: ["a"] })];
    const other = model("b", { ...claims("see"), capabilities: { vision: true } });
    const message = "role/see: the role see names a, which cannot do vision";
    expect(outcome(inputOf(roles, [model("a", { capabilities: { vision: false } }), other])).blocked).toEqual([message]);
    expect(outcome(inputOf(roles, [model("a"), other], [held("a", says({ vision: false }))])).blocked).toEqual([message]);
    expect(outcome(inputOf(roles, [model("a", { capabilities: { vision: true } }), other], [held("a", says({ vision: false }))])).blocked).toEqual(
      [],
    );
  });

  it("S1.14 compares capabilities under any spelling", () => {
    const roles = [role("think", { requires: ["reasoning"] })];
    expect(outcome(inputOf(roles, [model("a", { ...claims("think"), capabilities: { thinking: false } })])).blocked).toHaveLength(1);
    expect(outcome(inputOf(roles, [model("a", { ...claims("think"), capabilities: { cot: true } })])).blocked).toEqual([]);
  });

  it("S3.80 a visual role needs vision whether or not its manifest says so, other roles do not", () => {
    expect(contractOf("keywords").requires).toEqual(["vision"]);
    expect(contractOf("chat").requires).toEqual([]);
    expect(outcome(inputOf([role("narration")], [model("a", { ...claims("narration"), capabilities: { vision: false } })])).blocked).toHaveLength(1);
  });

  it("K21 holds a context that is too short against a model", () => {
    const roles = [role("long", { minContext: 32_768 })];
    const short = outcome(inputOf(roles, [model("a", claims("long"))], [held("a", { contextLength: 4096 })]));
    expect(short.blocked).toEqual(["role/long: no model fills the role long: a has a context of 4096 tokens, not 32768"]);
    expect(outcome(inputOf(roles, [model("a", claims("long"))], [held("a", { contextLength: 131_072 })])).blocked).toEqual([]);
  });

  it("reports a model that claims a role it cannot fill, without blocking where another one fills it", () => {
    const input = inputOf(
      [role("see", { requires: ["vision"] })],
      [model("a", { ...claims("see"), capabilities: { vision: false } }), model("b", { ...claims("see"), capabilities: { vision: true } })],
    );
    expect(outcome(input)).toMatchObject({ blocked: [], drift: ["model/a: a claims the role see and cannot do vision"] });
    expect([...unfitModels(assessAll(input), input)]).toEqual([["a", "claims the role see and cannot do vision"]]);
  });
});
