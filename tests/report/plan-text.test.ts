import { describe, expect, it } from "vitest";
import { renderPlanText } from "../../src/report/plan-text.ts";
import { displayWidth } from "../../src/report/text-layout.ts";
import { actionWith, planWith, pullQwen, purgeLlama, richPlan } from "./samples.ts";

describe("renderPlanText", () => {
  it("shows a plan that a reader who never saw one understands: summary first and last, what deletes in full, reasons, what is not acted on", () => {
    const verdicts = [
      { rule: "policy/licence", effect: "deny", message: "the licence must be open", actionId: "a2", remedy: "see policies/licence.yaml:3" },
    ] as const;
    expect(renderPlanText(richPlan, { host: "gpu-01", nextCommand: "holdfast apply plan.json", verdicts })).toMatchInlineSnapshot(`
      "Plan for 4f2c1ab -> host gpu-01: 1 to pull, 1 to repair, 1 to tag, 1 to
      activate, 1 to forget, 1 to purge. 1 blocked. 1 unknown.
      Download 5.5 GB, free 41.0 GB.

      DESTRUCTIVE (1)
        - model/llama3-8b-old  purge 41.0 GB
            [not in manifests; deprecated 14 days ago, grace 7 days]
            not re-fetchable: the bytes are kept in quarantine

        + model/qwen3-8b       pull 5.2 GB from registry.ollama.ai/library/qwen3:8b
            [new in manifests]
            the tag has moved upstream: the locked manifest 111111111111 is served to
            Ollama from loopback
        ~ model/embed-small    repair 300.0 MB from huggingface BAAI/bge-small@9c1d33e
            [model.safetensors has other bytes than the lock says]
        ~ model/coder          tag a:latest as coder:latest  [lock moved]
        > backend/chat         activate qwen3-8b on chat  [serves another model]
        . model/gone           forget  [already absent]

      Signs: - delete; + add; ~ change; > start or switch serving; . stop managing,
      bytes stay.

      NOT ACTED ON (2)
        ? model/mistral-7b (manifests/code.yaml:14)
            unknown: the Hugging Face cache could not be read: list /data/hf: EACCES
            next: give the user read access to /data/hf
        ! model/big
            blocked: needs 80.0 GB, 12.0 GB are free
            next: free space or remove the model

      Policy
        DENY policy/licence, about model/qwen3-8b: the licence must be open
            next: see policies/licence.yaml:3

      Not shown: 23 unchanged, 4 unmanaged.

      Next: holdfast apply plan.json

      Plan: 1 to pull, 1 to repair, 1 to tag, 1 to activate, 1 to forget, 1 to purge. 1 blocked. 1 unknown.
      "
    `);
  });

  it("adds digests, preconditions, order and places with details", () => {
    expect(renderPlanText(planWith([pullQwen, actionWith({ ...purgeLlama, dependsOn: ["a2"] })]), { details: true })).toMatchInlineSnapshot(`
      "Plan for 4f2c1ab: 1 to pull, 1 to purge.
      Download 5.2 GB, free 41.0 GB.
      Files dddddddddddd, no lock file, plan eeeeeeeeeeee.

      DESTRUCTIVE (1)
        - model/llama3-8b-old  purge 41.0 GB
            [not in manifests; deprecated 14 days ago, grace 7 days]
            not re-fetchable: the bytes are kept in quarantine
            a1, cause lifecycle, risk destructive, store ollama:main, ref
            registry.ollama.ai/library/llama3:8b
            after a2

        + model/qwen3-8b       pull 5.2 GB from registry.ollama.ai/library/qwen3:8b
            [new in manifests]
            the tag has moved upstream: the locked manifest 111111111111 is served to
            Ollama from loopback
            a2, cause missing, risk low, store ollama:main, ref
            registry.ollama.ai/library/qwen3:8b
            declared in manifests/chat.yaml:3
            only if registry.ollama.ai/library/qwen3:8b is absent

      Signs: - delete; + add.

      Plan: 1 to pull, 1 to purge.
      "
    `);
  });

  it("has a text for each kind of empty plan", () => {
    expect(renderPlanText(planWith([]))).toMatchInlineSnapshot(`
      "Plan for 4f2c1ab: no changes.

      No changes. The machine matches the manifests.

      Plan: no changes.
      "
    `);
    expect(renderPlanText(planWith([], { summary: { unmanaged: 3, unchanged: 2 } }))).toMatchInlineSnapshot(`
      "Plan for 4f2c1ab: no changes.

      No changes. The machine matches the manifests, but 3 models nobody declared are also there.

      Not shown: 2 unchanged, 3 unmanaged.

      Plan: no changes.
      "
    `);
    const unknown = { object: "store/huggingface", cause: "unknown", reason: "could not be read" } as const;
    expect(renderPlanText(planWith([], { blocked: [unknown] }))).toMatchInlineSnapshot(`
      "Plan for 4f2c1ab: no changes. 1 unknown.

      Nothing will be changed, because what is listed below could not be observed or is blocked.

      NOT ACTED ON (1)
        ? store/huggingface
            unknown: could not be read

      Plan: no changes. 1 unknown.
      "
    `);
  });

  it("says a reason once for everything it holds for", () => {
    const blocked = ["a", "b", "c"].map(
      (name) => ({ object: `model/${name}`, cause: "unknown", reason: "the store could not be read", remedy: "start it" }) as const,
    );
    const text = renderPlanText(
      planWith([], { blocked: [...blocked, { object: "model/d", cause: "guard", reason: "the store could not be read" }] }),
    );
    expect(text).toContain("  ? model/a\n  ? model/b\n  ? model/c\n      unknown: the store could not be read\n      next: start it\n  ! model/d\n");
    expect(text.match(/next: start it/g)).toHaveLength(1);
  });

  it("keeps the last line stable: no colour, no hint, no width changes it", () => {
    const last = (text: string): string | undefined => text.trimEnd().split("\n").at(-1);
    const expected = "Plan: 1 to pull, 1 to repair, 1 to tag, 1 to activate, 1 to forget, 1 to purge. 1 blocked. 1 unknown.";
    for (const options of [{}, { width: 40 }, { nextCommand: "holdfast apply" }, { ci: true }, { details: true, host: "x" }])
      expect(last(renderPlanText(richPlan, options))).toBe(expected);
  });

  it("drops the next step in CI and for an empty plan", () => {
    expect(renderPlanText(richPlan, { ci: true, nextCommand: "holdfast apply" })).not.toContain("Next:");
    expect(renderPlanText(planWith([]), { nextCommand: "holdfast apply" })).not.toContain("Next:");
  });

  it("explains only the signs that occur", () => {
    expect(renderPlanText(planWith([pullQwen]))).toContain("Signs: + add.\n");
  });

  it("never shortens the destructive block, and counts record-only actions beyond the first ones of a verb", () => {
    const purges = Array.from({ length: 150 }, (_unused, index) => actionWith({ ...purgeLlama, id: `a${index + 1}`, object: `model/old-${index}` }));
    const imports = Array.from({ length: 50 }, (_unused, index) =>
      actionWith({ id: `i${index}`, verb: "import", object: `model/found-${index}`, risk: "none", work: { verb: "import" } }),
    );
    const pulls = Array.from({ length: 40 }, (_unused, index) => actionWith({ ...pullQwen, id: `p${index}`, object: `model/new-${index}` }));
    const text = renderPlanText(planWith([...purges, ...imports, ...pulls]));
    expect(text.match(/\+ model\/new-\d+/g)).toHaveLength(40);
    expect(text.match(/- model\/old-\d+/g)).toHaveLength(150);
    expect(text.match(/\+ model\/found-\d+/g)).toHaveLength(20);
    expect(text).toContain("  ... and 30 more to import (--details lists them)");
    expect(renderPlanText(planWith(imports), { details: true }).match(/\+ model\/found-\d+/g)).toHaveLength(50);
  });

  it("fits 80 columns except for the frozen last line and words that cannot be broken", () => {
    const lines = renderPlanText(richPlan, { host: "gpu-01" }).trimEnd().split("\n").slice(0, -1);
    expect(lines.filter((line) => displayWidth(line) > 80 && line.trim().includes(" ") && !line.includes("BAAI"))).toEqual([]);
  });

  it("says when a size could not be learned", () => {
    expect(renderPlanText(planWith([actionWith({ ...pullQwen, bytesToDownload: 0, sizeUnknown: true })]))).toContain("pull (size unknown)");
  });

  it("paints by meaning through the given function and leaves the words alone", () => {
    const tones = new Set<string>();
    const painted = renderPlanText(richPlan, { colour: (tone, text) => (tones.add(tone), text) });
    expect(painted).toBe(renderPlanText(richPlan));
    expect([...tones].toSorted()).toEqual(["add", "change", "destroy", "heading", "quiet", "warning"]);
  });
});
