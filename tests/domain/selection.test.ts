import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseProfile } from "../../src/domain/profile.ts";
import type { Role } from "../../src/domain/role.ts";
import { liveKey, type BackendSight, type Candidate } from "../../src/domain/selection-candidate.ts";
import type { SelectionRequest, SelectionWorld } from "../../src/domain/selection-hurdles.ts";
import { select, type Selection } from "../../src/domain/selection.ts";

const role = (name: string, more: Partial<Role> = {}): Role => ({ kind: "Role", metadata: { name, labels: {}, annotations: {}, location: { file: "roles.yaml", line: 1, column: 1 } }, requires: [], prefer: [], ...more });

function candidate(name: string, more: Partial<Candidate> = {}): Candidate {
  return {
    name,
    displayName: name,
    servedId: `${name}:1b`,
    aliases: [],
    earlierNames: [],
    roles: [],
    capabilities: { text: true },
    provenance: { text: "show" },
    backendType: "ollama",
    backend: "local",
    endpoint: "http://localhost:11434/v1",
    testing: false,
    held: "present",
    ...more,
  };
}

const claim = (name: string, priority = 0): Pick<Candidate, "roles"> => ({ roles: [{ role: name, priority }] });
const sees = { capabilities: { text: true, vision: true }, provenance: { vision: "show" } };
const ask = (asked: string, more: Partial<SelectionRequest> = {}): SelectionRequest => ({ asked, requires: [], includeDeprecated: false, includeTesting: false, priority: "higher-wins", ...more });
const up = (name: string, type: string, ...ids: readonly string[]): BackendSight => ({ name, type, url: `http://${name}`, state: "up", ids: new Set(ids.map((id) => liveKey(type, id))) });
const world = (candidates: readonly Candidate[], more: Partial<SelectionWorld> = {}): SelectionWorld => ({ candidates, roles: [], ...more });
const live = (...sights: readonly BackendSight[]): Pick<SelectionWorld, "backends"> => ({ backends: new Map(sights.map((sight) => [sight.name, sight])) });

function said(selection: Selection): string {
  return selection.state === "selected" ? `${selection.candidate.name} by ${selection.by}` : `${selection.kind}: ${selection.message}`;
}

const pick = (candidates: readonly Candidate[], request: SelectionRequest, more: Partial<SelectionWorld> = {}): string => said(select(request, world(candidates, more)));

describe("selecting by name", () => {
  const all = [
    candidate("alpha", { aliases: ["chat/default", "quick"], earlierNames: ["model-a1"] }),
    candidate("beta", { servedId: "hf.co/org/beta:Q4_K_M", aliases: ["alpha:1b"] }),
    candidate("gamma", { ...claim("caption"), ...sees }),
  ];

  it("S1.31 S1.49 gives endpoint, backend, model id and capabilities", () => {
    expect(select(ask("alpha"), world(all))).toMatchObject({ state: "selected", endpoint: "http://localhost:11434/v1", modelId: "alpha:1b", candidate: { backendType: "ollama", capabilities: { text: true } } });
  });

  it("S3.34 S3.66 finds a model by name, then served id, then alias, then an earlier name", () => {
    expect(pick(all, ask("alpha"))).toBe("alpha by name");
    expect(pick(all, ask("alpha:1b"))).toBe("alpha by served-id");
    expect(pick(all, ask("quick"))).toBe("alpha by alias");
    expect(pick(all, ask("model-a1"))).toBe("alpha by earlier-name");
    expect(pick(all, ask("HF.co/org/beta:q4_k_m"))).toBe("beta by served-id");
  });

  it("S1.50 takes names with a slash: an alias, a served id, a role's default, or a model that must fill the role", () => {
    expect(pick(all, ask("chat/default"))).toBe("alpha by alias");
    expect(pick(all, ask("caption/default"))).toBe("gamma by role");
    expect(pick(all, ask("caption/gamma"))).toBe("gamma by role");
    expect(pick(all, ask("caption/alpha"))).toContain("failed to resolve role 'caption'");
    expect(pick(all, ask("role/caption"))).toBe("gamma by role");
    expect(pick(all, ask("model/gamma"))).toBe("gamma by name");
    expect(pick(all, ask("model/caption"))).toContain("absent");
    expect(pick(all, ask("nothing/default"))).toContain("absent");
  });

  it("a name that could mean several is refused with all of them, unless only one is in use", () => {
    const twins = [candidate("a", { aliases: ["x"] }), candidate("b", { aliases: ["x"] })];
    expect(pick(twins, ask("x"))).toBe('ambiguous: "x" could mean a or b');
    expect(pick([candidate("a", { aliases: ["x"] }), candidate("b", { aliases: ["x"], deprecated: {} })], ask("x"))).toBe("a by alias");
  });

  it("S1.32 S1.78 S3.89 refuses what lacks a capability, and names what is missing, under any spelling", () => {
    const refused = select(ask("alpha", { requires: ["multimodal", "tool_use"] }), world(all));
    expect(refused).toMatchObject({ state: "refused", kind: "lacks-capability", missing: ["vision", "tools"], message: "capability error: alpha cannot do vision, tools" });
    expect(pick(all, ask("gamma", { requires: ["visual"] }))).toBe("gamma by name");
    expect(pick([candidate("a", { contextLength: 4096 })], ask("a", { minContext: 8192 }))).toContain("context of 4096 tokens");
    expect(pick([candidate("a")], ask("a", { minContext: 8192 }))).toBe("a by name");
  });

  it("S1.65 S1.76 tells a name that is absent from one that is filtered, each with its remedy", () => {
    const tests = [candidate("t", { testing: true }), candidate("big", { vramMb: 30_000 })];
    const profile = chooseProfile({ option: "balanced_24gb" });
    if (profile === undefined || "unknown" in profile) throw new Error("no profile");
    expect(select(ask("t"), world(tests))).toMatchObject({ kind: "filtered", message: "t is a test model", remedy: expect.stringContaining("--include-testing") });
    expect(pick(tests, ask("t", { includeTesting: true }))).toBe("t by name");
    expect(select(ask("big"), world(tests, { profile }))).toMatchObject({ kind: "filtered", message: expect.stringContaining("balanced_24gb"), remedy: expect.stringContaining("--profile none") });
    expect(pick(tests, ask("big"))).toBe("big by name");
    expect(pick(tests, ask("big", { backend: "vllm" }))).toContain("filtered: big is on local, not on vllm");
    expect(pick(tests, ask("who"))).toContain("absent");
  });

  it("S3.39 takes a deprecated model that was named, with a warning that says what to use", () => {
    const old = candidate("old", { deprecated: { reason: "superseded", replacedBy: "new" } });
    expect(select(ask("old"), world([old]))).toMatchObject({ state: "selected", warnings: ["old is deprecated: superseded; use new"] });
  });

  it("S3.66 S3.88 sends the id that the backend offers, and says where nothing answers", () => {
    const vllm = candidate("v", { servedId: "org/v", aliases: ["v-latest"], backendType: "vllm", backend: "gpu", endpoint: "http://gpu:24001/v1", held: "present" });
    const id = (...ids: readonly string[]): unknown => {
      const answer = select(ask("v"), world([vllm], live(up("gpu", "vllm", ...ids))));
      return answer.state === "selected" ? answer.modelId : answer.kind;
    };
    expect(id("org/v", "v-latest")).toBe("org/v");
    expect(id("v", "org/v")).toBe("v");
    expect(id("v-latest")).toBe("v-latest");
    expect(id("other")).toBe("unreachable");
    const down: BackendSight = { name: "gpu", type: "vllm", url: "http://gpu:24001", state: "down", reason: "nothing listens there (port 24001)" };
    expect(select(ask("v"), world([vllm], live(down)))).toMatchObject({ kind: "unreachable", message: expect.stringContaining("port 24001"), remedy: "holdfast activate-model v" });
    expect(pick([candidate("u", { backendType: "unassigned", ...nowhere })], ask("u"))).toContain("unreachable: nothing says where u is served");
  });

  it("S1.81 tells what is not on the machine from what does not answer", () => {
    expect(select(ask("a"), world([candidate("a", { held: "missing" })]))).toMatchObject({ kind: "not-installed", remedy: "holdfast reconcile fetches it" });
    expect(select(ask("a"), world([candidate("a", { held: "corrupt" })]))).toMatchObject({ kind: "not-installed" });
    expect(select(ask("a"), world([candidate("a", { held: "unknown" })], live(up("local", "ollama", "b:1b"))))).toMatchObject({ kind: "not-installed" });
    expect(pick([candidate("a")], ask("a"), live(up("local", "ollama", "registry.ollama.ai/library/A:1b")))).toBe("a by name");
  });
});

/** Takes the endpoint away. */
const nowhere = Object.fromEntries([["endpoint", undefined]]);

describe("selecting by role", () => {
  const low = candidate("low", { ...claim("caption", 10), ...sees });
  const high = candidate("high", { ...claim("caption", 90), ...sees });
  const blind = candidate("blind", claim("caption", 99));

  it("S1.5 S2.39 S3.13 S3.78 S3.80 takes only models with the role, and for a visual one only models that see", () => {
    expect(pick([blind, low, candidate("other", sees)], ask("caption"))).toBe("low by role");
    expect(pick([blind], ask("caption"))).toBe("lacks-capability: failed to resolve role 'caption': capability error: blind cannot do vision");
  });

  it("S3.76 S3.77 a preference wins if it qualifies and is no demand", () => {
    expect(pick([low, high], ask("caption", { prefer: "low" }))).toBe("low by role");
    expect(select(ask("caption", { prefer: "blind" }), world([low, high, blind]))).toMatchObject({ candidate: { name: "high" }, warnings: ["not blind, which was preferred: capability error: blind cannot do vision"] });
    expect(select(ask("caption", { prefer: "nobody" }), world([low]))).toMatchObject({ warnings: ["not nobody, which was preferred: no model is called nobody"] });
  });

  it("K17 orders by the role's preference, then priority in the declared direction, then name, the fallback last", () => {
    const roles = [role("caption", { prefer: ["low"], fallback: "high" })];
    expect(pick([low, high], ask("caption"))).toBe("high by role");
    expect(pick([low, high], ask("caption", { priority: "lower-wins" }))).toBe("low by role");
    expect(pick([low, high], ask("caption"), { roles })).toBe("low by role");
    expect(pick([high, candidate("mid", { ...claim("caption", 1), ...sees })], ask("caption"), { roles })).toBe("mid by role");
    expect(pick([high], ask("caption"), { roles })).toBe("high by role");
    expect(pick([candidate("b", { ...claim("caption"), ...sees }), candidate("a", { ...claim("caption"), ...sees })], ask("caption"))).toBe("a by role");
  });

  it("S3.62 S3.63 S3.75 S3.90 a new role needs nothing but its name, and demands may be added to it", () => {
    const models = [candidate("plain", claim("poems", 9)), candidate("tools", { ...claim("poems"), capabilities: { tools: true } })];
    expect(pick(models, ask("poems"))).toBe("plain by role");
    expect(pick(models, ask("poems", { requires: ["function_calling"] }))).toBe("tools by role");
    expect(pick(models, ask("poems"), { roles: [role("poems", { requires: ["tools"] })] })).toBe("tools by role");
  });

  it("S1.7 the profile keeps out what does not fit, and decides among equals", () => {
    const profile = chooseProfile({ option: "constrained_16gb" });
    if (profile === undefined || "unknown" in profile) throw new Error("no profile");
    const models = [candidate("a", { ...claim("r"), vramMb: 13_000 }), candidate("b", { ...claim("r"), vramMb: 5000 }), candidate("huge", { ...claim("r", 9), vramMb: 50_000 })];
    expect(pick(models, ask("r"), { profile })).toBe("b by role");
    expect(pick(models, ask("r"))).toBe("huge by role");
    expect(pick(models, ask("r"), { profile: { ...profile, limits: false } })).toBe("huge by role");
    const quality = chooseProfile({ option: "generous_96gb" });
    if (quality === undefined || "unknown" in quality) throw new Error("no profile");
    const kinds = [candidate("a", { ...claim("r"), quantization: "q4_k_m" }), candidate("b", { ...claim("r"), quantization: "Q8_0" })];
    expect(pick(kinds, ask("r"), { profile: quality })).toBe("b by role");
    const mixed = [candidate("small", { ...claim("r"), vramMb: 10, quantization: "Q8_0" }), candidate("suited", { ...claim("r"), vramMb: 20, quantization: "q4_k_m" })];
    expect(pick(mixed, ask("r"), { profile })).toBe("small by role");
    expect(pick([candidate("small", { ...claim("r"), vramMb: 10, quantization: "q4_k_m" }), candidate("suited", { ...claim("r"), vramMb: 20, quantization: "Q8_0" })], ask("r"), { profile: quality })).toBe("suited by role");
  });

  it("passes over what cannot be reached, and says so; with nobody left it names the closest", () => {
    const served = candidate("v", { ...claim("caption", 99), ...sees, backend: "gpu", backendType: "vllm" });
    const backends = live(up("local", "ollama", "low:1b"), up("gpu", "vllm", "another"));
    expect(select(ask("caption"), world([low, served], backends))).toMatchObject({ candidate: { name: "low" }, warnings: [expect.stringContaining("passed over v: gpu at http://gpu serves another, not v")] });
    expect(select(ask("caption"), world([blind, served], backends))).toMatchObject({ kind: "unreachable", message: expect.stringContaining("none of 2 models qualifies; the closest: gpu at http://gpu serves another") });
  });

  it("S3.79 S3.87 says that no model has the role, and to add it", () => {
    expect(select(ask("role/caption"), world([candidate("a")]))).toMatchObject({ kind: "absent", message: "failed to resolve role 'caption': no model has the role and vision", remedy: "add caption to the roles of a Model that fits" });
  });

  it("leaves deprecated models out unless they are asked for", () => {
    const old = candidate("old", { ...claim("r"), deprecated: {} });
    expect(pick([old], ask("r"))).toBe("filtered: failed to resolve role 'r': old is deprecated");
    expect(pick([old], ask("r", { includeDeprecated: true }))).toBe("old by role");
  });

  it("explains every candidate: chosen, lost and why, excluded and why", () => {
    const { trail } = select(ask("caption"), world([low, high, blind, candidate("same", { ...claim("caption", 90), ...sees })]));
    expect(trail).toEqual([
      { name: "high", outcome: "chosen", because: "the first of 3 that qualify" },
      { name: "same", outcome: "lost", because: "it is equal in everything, and its name comes after high" },
      { name: "low", outcome: "lost", because: "its priority is 10, that of high is 90" },
      { name: "blind", outcome: "excluded", because: "capability error: blind cannot do vision" },
    ]);
  });
});

describe("selection as a function", () => {
  const any: fc.Arbitrary<readonly Candidate[]> = fc.uniqueArray(
    fc.record({ name: fc.constantFrom("a", "b", "c", "d", "e", "f"), priority: fc.integer({ min: 0, max: 2 }), vision: fc.boolean(), deprecated: fc.boolean(), testing: fc.boolean(), vramMb: fc.option(fc.integer({ min: 1, max: 3 }), { nil: 0 }) }),
    { selector: ({ name }) => name },
  ).map((list) => list.map(({ name, priority, vision, deprecated, testing, vramMb }) => candidate(name, { ...claim("caption", priority), capabilities: { text: true, vision }, testing, vramMb, ...(deprecated ? { deprecated: {} } : {}) })));

  it("S1.4 the same request in the same world has the same answer, in whatever order the models come", () => {
    fc.assert(
      fc.property(any, fc.option(fc.constantFrom("a", "b", "z"), { nil: undefined }), (candidates, prefer) => {
        const request = ask("role/caption", prefer === undefined ? {} : { prefer });
        const answer = select(request, world(candidates));
        expect(select(request, world(candidates.toReversed()))).toEqual(answer);
        expect(answer.trail.map(({ name }) => name).toSorted()).toEqual(candidates.map(({ name }) => name).toSorted());
        if (answer.state === "selected") expect(answer.candidate).toMatchObject({ testing: false, capabilities: { vision: true } });
        else expect(candidates.every(({ testing, deprecated, capabilities }) => testing || deprecated !== undefined || capabilities["vision"] !== true)).toBe(true);
      }),
    );
  });
});
