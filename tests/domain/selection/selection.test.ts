import { describe, expect, it } from "vitest";
import { chooseProfile } from "../../../src/domain/selection/profile.ts";
import type { BackendSight } from "../../../src/domain/selection/candidate.ts";
import { select } from "../../../src/domain/selection/selection.ts";
import { ask, candidate, claim, live, pick, sees, up, world } from "./selection-world.ts";

/** Takes the endpoint away. */
const nowhere = Object.fromEntries([["endpoint", undefined]]);

describe("selecting by name", () => {
  const all = [
    candidate("alpha", { aliases: ["chat/default", "quick"], earlierNames: ["model-a1"] }),
    candidate("beta", { servedId: "hf.co/org/beta:Q4_K_M", aliases: ["alpha:1b"] }),
    candidate("gamma", { ...claim("caption"), ...sees }),
  ];

  it("S1.31 S1.49 gives endpoint, backend, model id and capabilities", () => {
    expect(select(ask("alpha"), world(all))).toMatchObject({
      state: "selected",
      endpoint: "http://localhost:11434/v1",
      modelId: "alpha:1b",
      candidate: { backendType: "ollama", capabilities: { text: true } },
    });
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
    expect(refused).toMatchObject({
      state: "refused",
      kind: "lacks-capability",
      missing: ["vision", "tools"],
      message: "capability error: alpha cannot do vision, tools",
      remedy: "nothing says whether it can: holdfast probe-vision, or capabilities in its manifest, decides it",
    });
    const known = candidate("blind", { provenance: { vision: "show" } });
    expect(select(ask("blind", { requires: ["vision"] }), world([known]))).toMatchObject({
      remedy: "choose another model, or correct the capabilities in its manifest after making sure that they are true",
    });
    expect(pick(all, ask("gamma", { requires: ["visual"] }))).toBe("gamma by name");
    expect(pick([candidate("a", { contextLength: 4096 })], ask("a", { minContext: 8192 }))).toContain("context of 4096 tokens");
    expect(pick([candidate("a")], ask("a", { minContext: 8192 }))).toBe("a by name");
  });

  it("S1.65 S1.76 tells a name that is absent from one that is filtered, each with its remedy", () => {
    const tests = [candidate("t", { testing: true }), candidate("big", { vramMb: 30_000 })];
    const profile = chooseProfile({ option: "balanced_24gb" });
    if (profile === undefined || "unknown" in profile) throw new Error("no profile");
    expect(select(ask("t"), world(tests))).toMatchObject({
      kind: "filtered",
      message: "t is a test model",
      remedy: expect.stringContaining("--include-testing"),
    });
    expect(pick(tests, ask("t", { includeTesting: true }))).toBe("t by name");
    expect(select(ask("big"), world(tests, { profile }))).toMatchObject({
      kind: "filtered",
      message: expect.stringContaining("balanced_24gb"),
      remedy: expect.stringContaining("--profile none"),
    });
    expect(pick(tests, ask("big"))).toBe("big by name");
    expect(pick(tests, ask("big", { backend: "vllm" }))).toContain("filtered: big is on local, not on vllm");
    expect(pick(tests, ask("who"))).toContain("absent");
  });

  it("S3.39 takes a deprecated model that was named, with a warning that says what to use", () => {
    const old = candidate("old", { deprecated: { reason: "superseded", replacedBy: "new" } });
    expect(select(ask("old"), world([old]))).toMatchObject({ state: "selected", warnings: ["old is deprecated: superseded; use new"] });
  });

  it("S3.66 S3.88 sends the id that the backend offers, and says where nothing answers", () => {
    const vllm = candidate("v", {
      servedId: "org/v",
      aliases: ["v-latest"],
      backendType: "vllm",
      backend: "gpu",
      endpoint: "http://gpu:24001/v1",
      held: "present",
    });
    const id = (...ids: readonly string[]): unknown => {
      const answer = select(ask("v"), world([vllm], live(up("gpu", "vllm", ...ids))));
      return answer.state === "selected" ? answer.modelId : answer.kind;
    };
    expect(id("org/v", "v-latest")).toBe("org/v");
    expect(id("v", "org/v")).toBe("v");
    expect(id("v-latest")).toBe("v-latest");
    expect(id("other")).toBe("unreachable");
    const down: BackendSight = { name: "gpu", type: "vllm", url: "http://gpu:24001", state: "down", reason: "nothing listens there (port 24001)" };
    expect(select(ask("v"), world([vllm], live(down)))).toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("port 24001"),
      remedy: "holdfast activate-model v",
    });
    expect(pick([candidate("u", { backendType: "unassigned", ...nowhere })], ask("u"))).toContain("unreachable: nothing says where u is served");
  });

  it("S1.81 tells what is not on the machine from what does not answer", () => {
    expect(select(ask("a"), world([candidate("a", { held: "missing" })]))).toMatchObject({
      kind: "not-installed",
      remedy: "holdfast reconcile fetches it",
    });
    expect(select(ask("a"), world([candidate("a", { held: "corrupt" })]))).toMatchObject({ kind: "not-installed" });
    expect(select(ask("a"), world([candidate("a", { held: "unknown" })], live(up("local", "ollama", "b:1b"))))).toMatchObject({
      kind: "not-installed",
    });
    expect(pick([candidate("a")], ask("a"), live(up("local", "ollama", "registry.ollama.ai/library/A:1b")))).toBe("a by name");
  });
});
