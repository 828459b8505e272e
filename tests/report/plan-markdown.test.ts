import { describe, expect, it } from "vitest";
import { commentMarker, renderPlanMarkdown } from "../../src/report/plan-markdown.ts";
import { actionWith, planWith, purgeLlama, pullQwen, richPlan } from "./samples.ts";

describe("renderPlanMarkdown", () => {
  it("writes one comment: hidden marker, red flags, table with what deletes first, folded details, summary outside of them", () => {
    const verdicts = [{ rule: "policy/licence", effect: "warn", message: "the licence is not known", actionId: "a2" }] as const;
    expect(renderPlanMarkdown(richPlan, { target: "gpu-01", verdicts, reproduce: "holdfast reconcile --dry-run", updated: "11:55 UTC (run 3)" }))
      .toMatchInlineSnapshot(`
      "<!-- holdfast:plan v1 target=gpu-01 -->
      ### holdfast plan: gpu-01 - 1 pull, 1 repair, 1 tag, 1 activate, 1 forget, 1 purge, 1 blocked, 1 unknown

      **:warning: This plan deletes: 1 destructive action, 41.0 GB would be freed.**

      **:grey_question: 1 thing could not be observed; nothing is done to it.**

      Moves bytes: download 5.5 GB, free 41.0 GB.

      | | Object | Action | Why | Size |
      | --- | --- | --- | --- | ---: |
      | \`-\` | \`model/llama3-8b-old\` | **purge** | not in manifests; deprecated 14 days ago, grace 7 days; not re-fetchable: the bytes are kept in quarantine | frees 41.0 GB |
      | \`+\` | \`model/qwen3-8b\` | pull | new in manifests; the tag has moved upstream: the locked manifest 111111111111 is served to Ollama from loopback | 5.2 GB |
      | \`~\` | \`model/embed-small\` | repair | model.safetensors has other bytes than the lock says | 300.0 MB |
      | \`~\` | \`model/coder\` | tag | lock moved |  |
      | \`>\` | \`backend/chat\` | activate | serves another model |  |
      | \`.\` | \`model/gone\` | forget | already absent |  |

      **Policy**

      - **WARN** policy/licence, about model/qwen3-8b: the licence is not known

      **Not acted on**

      - \`model/mistral-7b\` unknown: the Hugging Face cache could not be read: list /data/hf: EACCES. Next: give the user read access to /data/hf
      - \`model/big\` blocked: needs 80.0 GB, 12.0 GB are free. Next: free space or remove the model

      <details>
      <summary>All actions (6)</summary>

      \`\`\`diff
      - a1 purge 41.0 GB model/llama3-8b-old [not in manifests; deprecated 14 days ago, grace 7 days]
      + a2 pull 5.2 GB model/qwen3-8b from registry.ollama.ai/library/qwen3:8b [new in manifests]
      + a3 repair 300.0 MB model/embed-small from huggingface BAAI/bge-small@9c1d33e [model.safetensors has other bytes than the lock says]
        a4 tag model/coder a:latest as coder:latest [lock moved]
        a5 activate backend/chat qwen3-8b on chat [serves another model]
        a6 forget model/gone [already absent]
      \`\`\`

      </details>

      Not shown: 23 unchanged, 4 unmanaged.

      Made from revision 4f2c1ab, plan \`sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\`, holdfast 0.1.0, updated 11:55 UTC &#40;run 3&#41;.
      Reproduce: \`holdfast reconcile --dry-run\`

      Plan: 1 to pull, 1 to repair, 1 to tag, 1 to activate, 1 to forget, 1 to purge. 1 blocked. 1 unknown.
      "
    `);
  });

  it("rewrites the comment to one line when the plan became empty", () => {
    expect(renderPlanMarkdown(planWith([]), { target: "gpu-01" })).toMatchInlineSnapshot(`
      "<!-- holdfast:plan v1 target=gpu-01 -->
      ### holdfast plan: gpu-01 - no changes (revision 4f2c1ab, plan \`sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\`, holdfast 0.1.0)
      "
    `);
  });

  it("stays below 60,000 UTF-16 units with the largest plans, keeps what deletes first and says what is left out", () => {
    const long = `${"@*<|`".repeat(200)}`;
    const many = Array.from({ length: 5_000 }, (_unused, index) =>
      actionWith({ ...pullQwen, id: `a${index}`, object: `model/${long}${index}`, reason: long }),
    );
    const plan = planWith([...many, { ...purgeLlama, reason: long }], {
      blocked: many.map((action) => ({ object: action.object, cause: "unknown", reason: long, remedy: long })),
    });
    const verdicts = many.map((action) => ({ rule: long, effect: "deny" as const, message: long, actionId: action.id }));
    const text = renderPlanMarkdown(plan, { target: long, verdicts, reproduce: long });
    expect(text.length).toBeLessThan(60_000);
    expect(text.split("\n").find((line) => line.startsWith("| `"))).toContain("**purge**");
    expect(text).toMatch(/\.\.\. and \d+ more actions, \d+ to pull\./);
    expect(text.trimEnd().split("\n").at(-1)).toBe("Plan: 5000 to pull, 1 to purge. 5000 unknown.");
  });

  it("shows at most 100 rows", () => {
    const plan = planWith(Array.from({ length: 101 }, (_unused, index) => actionWith({ ...pullQwen, id: `a${index}` })));
    expect(
      renderPlanMarkdown(plan, { target: "x" })
        .split("\n")
        .filter((line) => line.startsWith("| `")),
    ).toHaveLength(100);
  });

  it("tells targets apart in the marker, which no target can end", () => {
    expect(commentMarker("plan", "a --> <b>")).toBe("<!-- holdfast:plan v1 target=a_-___b_ -->");
    expect(commentMarker("plan", "gpu-01")).not.toBe(commentMarker("plan", "gpu-02"));
  });
});
