import type { Action, Blocked, Plan, PlanSummary, Verb } from "../../src/domain/action.ts";
import type { Drift, DriftReport } from "../../src/domain/drift.ts";
import { buildDriftReport } from "../../src/report/drift-report.ts";

export const hex = (digit: string): string => digit.repeat(64);

/** An action with everything filled in; tests overwrite what they speak about. */
export function actionWith(parts: Partial<Action> & Pick<Action, "id" | "verb" | "object" | "work">): Action {
  return {
    name: parts.object.replace(/^[a-z]+\//, ""),
    store: "ollama:main",
    ref: "registry.ollama.ai/library/qwen3:8b",
    cause: "missing",
    reason: "declared and not there",
    risk: "low",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    preconditions: [],
    dependsOn: [],
    ...parts,
  };
}

export function planWith(
  actions: readonly Action[],
  parts: { readonly blocked?: readonly Blocked[]; readonly summary?: Partial<PlanSummary>; readonly plan?: Partial<Plan> } = {},
): Plan {
  const blocked = parts.blocked ?? [];
  const counts: Partial<Record<Verb, number>> = {};
  for (const action of actions) counts[action.verb] = (counts[action.verb] ?? 0) + 1;
  const total = (of: (action: Action) => number): number => actions.reduce((sum, action) => sum + of(action), 0);
  return {
    formatVersion: "1.0",
    toolVersion: "0.1.0",
    createdAt: "2026-11-21T11:50:02.000Z",
    revision: { commit: "4f2c1ab0000000000000000000000000000000ff", dirty: false, digest: hex("d") },
    actions,
    blocked,
    bookkeeping: [],
    summary: {
      actions: counts,
      blocked: blocked.length,
      unknown: blocked.filter((item) => item.cause === "unknown").length,
      unchanged: 0,
      unmanaged: 0,
      bytesToDownload: total((action) => action.bytesToDownload),
      bytesToFree: total((action) => action.bytesToFree),
      destructive: actions.filter((action) => action.risk === "destructive").length,
      ...parts.summary,
    },
    digest: hex("e"),
    ...parts.plan,
  };
}

export const pullQwen = actionWith({
  id: "a2",
  verb: "pull",
  object: "model/qwen3-8b",
  bytesToDownload: 5_200_000_000,
  work: {
    verb: "pull",
    request: { kind: "ollama", model: "registry.ollama.ai/library/qwen3:8b", digest: hex("1"), pin: { manifest: "{}", digest: hex("1") } },
  },
  reason: "new in manifests",
  preconditions: [{ kind: "absent", store: "ollama:main", ref: "registry.ollama.ai/library/qwen3:8b" }],
  location: { file: "manifests/chat.yaml", line: 3, column: 1 },
});

export const purgeLlama = actionWith({
  id: "a1",
  verb: "purge",
  object: "model/llama3-8b-old",
  ref: "registry.ollama.ai/library/llama3:8b",
  bytesToFree: 41_000_000_000,
  risk: "destructive",
  cause: "lifecycle",
  reason: "not in manifests; deprecated 14 days ago, grace 7 days",
  work: { verb: "purge", request: { ref: "registry.ollama.ai/library/llama3:8b", quarantine: true } },
});

/** The plan of the design's sample: everything at once. */
export const richPlan: Plan = planWith(
  [
    purgeLlama,
    pullQwen,
    actionWith({
      id: "a3",
      verb: "repair",
      object: "model/embed-small",
      store: "huggingface",
      ref: "BAAI/bge-small@9c1d33e000000000000000000000000000000000",
      cause: "corrupt",
      risk: "high",
      bytesToDownload: 300_000_000,
      reason: "model.safetensors has other bytes than the lock says",
      work: {
        verb: "repair",
        request: {
          kind: "huggingface",
          repo: "BAAI/bge-small",
          commit: "9c1d33e000000000000000000000000000000000",
          files: [],
          layout: "cache",
          refs: [],
          bad: ["model.safetensors"],
        },
      },
    }),
    actionWith({
      id: "a4",
      verb: "tag",
      object: "model/coder",
      cause: "digest",
      reason: "lock moved",
      work: { verb: "tag", request: { from: "a:latest", to: "coder:latest", digest: hex("7") } },
    }),
    actionWith({
      id: "a5",
      verb: "activate",
      object: "backend/chat",
      cause: "backend",
      dependsOn: ["a2"],
      reason: "serves another model",
      work: { verb: "activate", backend: "chat", model: "qwen3-8b" },
    }),
    actionWith({
      id: "a6",
      verb: "forget",
      object: "model/gone",
      risk: "none",
      cause: "ownership",
      reason: "already absent",
      work: { verb: "forget" },
    }),
  ],
  {
    blocked: [
      {
        object: "model/mistral-7b",
        cause: "unknown",
        reason: "the Hugging Face cache could not be read",
        failure: { code: "permission", retry: "terminal", message: "list /data/hf: EACCES", remedy: "give the user read access to /data/hf" },
        location: { file: "manifests/code.yaml", line: 14, column: 3 },
      },
      { object: "model/big", cause: "guard", reason: "needs 80.0 GB, 12.0 GB are free", remedy: "free space or remove the model" },
    ],
    summary: { unchanged: 23, unmanaged: 4 },
  },
);

export function driftWith(parts: Partial<Drift> & Pick<Drift, "class" | "object">): Drift {
  return { id: `${parts.class}:${parts.object}`, message: "differs", level: "full", response: "repair", ...parts };
}

export const richDrifts: readonly Drift[] = [
  driftWith({
    class: "extra",
    object: "holding/ollama:main/registry.ollama.ai/library/phi4:latest",
    message: "nobody declared it",
    response: "import",
    level: "presence",
  }),
  driftWith({
    class: "digest",
    object: "model/embed-small",
    message: "the tag embed-small:latest has other content than the lock says",
    expected: "77aa01f0c0de",
    actual: "51bb9d0c0de0",
    location: { file: "manifests/embed.yaml", line: 14, column: 5 },
    response: "pull",
  }),
  driftWith({
    class: "unknown",
    object: "model/mistral-7b",
    message: "could not observe the Hugging Face cache: EACCES /data/hf",
    response: "nothing, because it is unknown",
  }),
  driftWith({
    class: "corrupt",
    object: "model/qwen3-8b",
    path: "model-Q4_K_M.gguf",
    message: "one file has other bytes",
    location: { file: "manifests/chat.yaml", line: 3, column: 1 },
  }),
];

export const richReport: DriftReport = buildDriftReport(richDrifts, {
  revision: { commit: "4f2c1ab0000000000000000000000000000000ff", dirty: true, digest: hex("d") },
  observedAt: "2026-11-21T11:50:02.000Z",
  level: "full",
  inSync: ["coder", "a-model"],
  verifiedAt: { oldest: "2026-11-18T11:50:02.000Z", newest: "2026-11-21T11:50:02.000Z", never: ["mistral-7b"] },
});

/** Texts that attack terminals, logs, Markdown, HTML, XML and workflow commands. */
export const hostileTexts: readonly string[] = [
  "\u001b[31mred\u001b[0m",
  "\u001b]8;;http://evil.example\u0007link\u001b]8;;\u0007",
  "\u001b]52;c;ZXZpbA==\u0007",
  "a\rb\bc\u0000d\u009b31me",
  "line one\nline two\n::set-output name=x::y",
  "::error::boom",
  "%0A::error::boom",
  "a,b:c,line=7",
  "##[error]boom",
  "\u202egpj.exe\u2066x\u2069",
  "zero\u200bwidth\u200d\u2060\ufeff\u00ad",
  "\u{e0041}\u{e0042} tags",
  "```\n</details>\n~~~",
  "`tick` ``two`` @org/team #12 | pipe \\| escaped \\",
  "<img src=x onerror=alert(1)> <!-- --> --> </summary></details>",
  "[link](javascript:alert(1)) ![i](http://x/y) **bold** www.evil.example https://evil.example a@b.example",
  "- item\n# heading\n| a | b |\n| --- | --- |",
  "]]> <![CDATA[ & \" ' \ufffe \ud800",
];
