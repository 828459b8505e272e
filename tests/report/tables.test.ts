import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderApplyText } from "../../src/report/apply-text.ts";
import { renderDiagnostics, renderFailure } from "../../src/report/diagnostics-text.ts";
import {
  count,
  formatAge,
  formatBytes,
  formatDuration,
  formatInstant,
  formatPart,
  formatRevision,
  shortDigest,
} from "../../src/report/quantities.ts";
import { renderStatusText } from "../../src/report/status-text.ts";
import { renderTable } from "../../src/report/table.ts";
import { cutEnd, cutMiddle, displayWidth, wrapText } from "../../src/report/text-layout.ts";
import { hex, richPlan } from "./samples.ts";

describe("quantities", () => {
  it("writes bytes in decimal units with one digit, without rounding up to a fourth digit", () => {
    expect([0, 999, 1000, 5_200_000_000, 41_000_000_000, 999_949_999, 999_950_000, 1.5e15].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.0 kB",
      "5.2 GB",
      "41.0 GB",
      "999.9 MB",
      "1.0 GB",
      "1.5 PB",
    ]);
    expect(formatBytes(Number.NaN)).toBe("? B");
    expect(formatPart(524_288_000, 5_200_000_000)).toBe("0.5/5.2 GB");
    expect(formatPart(3, 900)).toBe("3/900 B");
  });

  it("writes durations and ages in at most two units", () => {
    expect([5, 949, 950, 4_600, 9_960, 59_499, 276_000, 3_720_000, 90_000_000, 172_800_000].map(formatDuration)).toEqual([
      "5ms",
      "949ms",
      "0.9s",
      "4.6s",
      "10s",
      "59s",
      "4m36s",
      "1h02m",
      "1d1h",
      "2d",
    ]);
    const now = "2026-11-21T12:00:00.000Z";
    expect(
      [
        "2026-11-21T11:59:30.000Z",
        "2026-11-21T11:48:00.000Z",
        "2026-11-20T12:00:00.000Z",
        "2026-11-18T12:00:00.000Z",
        "2026-11-22T12:00:00.000Z",
        "x",
      ].map((from) => formatAge(from, now)),
    ).toEqual(["30s", "12m", "24h", "3d", "0s", "?"]);
  });

  it("shortens digests, revisions and instants", () => {
    expect(shortDigest(`sha256:${hex("a")}`)).toBe("a".repeat(12));
    expect(formatRevision({ commit: "4f2c1ab00", dirty: true, digest: hex("b") })).toBe("4f2c1ab with local changes");
    expect(formatRevision({ dirty: false, digest: hex("b") })).toBe(`files ${"b".repeat(12)}`);
    expect(formatInstant("2026-11-21T11:50:02.123Z")).toBe("2026-11-21 11:50:02 UTC");
    expect([count(1, "error"), count(0, "error")]).toEqual(["1 error", "0 errors"]);
  });
});

describe("text layout", () => {
  it("counts columns, not characters", () => {
    expect(displayWidth("a\u65e5\u672ce\u0301\u{1f600}")).toBe(8);
    expect(cutEnd("\u65e5\u672c\u8a9e\u3067\u3059", 6)).toBe("\u65e5\u672c..");
    expect(cutMiddle("registry.ollama.ai/library/qwen3:8b", 20)).toBe("registry.../qwen3:8b");
  });

  it("never makes a cut text wider than asked, and loses no word when wrapping", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (text, width) => {
        expect(displayWidth(cutEnd(text, width))).toBeLessThanOrEqual(width);
        expect(displayWidth(cutMiddle(text, width))).toBeLessThanOrEqual(width);
        const calm = text.replaceAll(/[:#]/g, "");
        expect(wrapText(calm, width).join(" ").replaceAll(/ +/g, " ").trim()).toBe(calm.replaceAll(/ +/g, " ").trim());
      }),
    );
  });
});

describe("renderTable", () => {
  const columns = [{ title: "name" }, { title: "size", align: "right" as const }, { title: "path", cut: "middle" as const, minimum: 10 }];
  const rows = [
    ["qwen3-8b", "5.2 GB", "registry.ollama.ai/library/qwen3:8b"],
    ["x", "", "short"],
  ];

  it("aligns columns below upper-case titles, shows empty cells and leaves no space at line ends", () => {
    expect(renderTable(columns, rows)).toMatchInlineSnapshot(`
      "NAME        SIZE  PATH
      qwen3-8b  5.2 GB  registry.ollama.ai/library/qwen3:8b
      x              -  short
      "
    `);
  });

  it("cuts the widest column to the width of the terminal and nothing when there is none", () => {
    expect(renderTable(columns, rows, { width: 40 })).toMatchInlineSnapshot(`
      "NAME        SIZE  PATH
      qwen3-8b  5.2 GB  registry.o..y/qwen3:8b
      x              -  short
      "
    `);
    expect(renderTable(columns, rows)).toContain("registry.ollama.ai/library/qwen3:8b");
  });

  it("leaves the header out on request", () => {
    expect(renderTable(columns, rows, { header: false })).not.toContain("NAME");
    expect(renderTable(columns, [], { header: false })).toBe("");
  });
});

describe("renderStatusText", () => {
  it("shows `?` for what is unknown and `-` for what does not exist, and says below the table why", () => {
    const rows = [
      {
        name: "qwen3-8b",
        roles: ["chat"],
        desired: "9c1d33e",
        applied: "9c1d33e",
        drift: "none",
        health: "Ready",
        suspended: false,
        sizeBytes: 5_200_000_000,
        since: "2026-11-18T11:50:02.000Z",
      },
      {
        name: "mistral-7b",
        roles: [],
        desired: "4411aa2",
        applied: undefined,
        drift: "unknown",
        health: "Unknown",
        suspended: true,
        sizeBytes: undefined,
      },
    ];
    expect(renderStatusText(rows, { now: "2026-11-21T11:50:02.000Z", notes: ["1 of 2 unknown: the Hugging Face cache is not readable (EACCES)."] }))
      .toMatchInlineSnapshot(`
      "NAME        ROLE  DESIRED  APPLIED  DRIFT    HEALTH   SUSPENDED    SIZE  SINCE
      qwen3-8b    chat  9c1d33e  9c1d33e  none     Ready    no         5.2 GB     3d
      mistral-7b  -     4411aa2  ?        unknown  Unknown  yes             ?      -
      1 of 2 unknown: the Hugging Face cache is not readable (EACCES).
      "
    `);
  });
});

describe("renderDiagnostics", () => {
  it("says what, where and what to write instead, and counts at the end", () => {
    const text = renderDiagnostics(
      [
        {
          severity: "error",
          code: "schema.unknown-key",
          message: 'unknown key "modle"',
          location: { file: "manifests/a.yaml", line: 9, column: 3 },
          pointer: "/spec/modle",
          remedy: "write `model`",
        },
        {
          severity: "warning",
          code: "model.unlocked",
          message: "the model is not locked",
          location: { file: "manifests/b.yaml", line: 1, column: 1 },
        },
        { severity: "error", code: "role.empty", message: "nothing fills the role", pointer: "/spec" },
      ],
      { effect: "nothing was changed" },
    );
    expect(text).toMatchInlineSnapshot(`
      "error[schema.unknown-key]: unknown key "modle"
        where   manifests/a.yaml:9:3 (/spec/modle)
        effect  nothing was changed
        next    write \`model\`

      warning[model.unlocked]: the model is not locked
        where   manifests/b.yaml:1:1

      error[role.empty]: nothing fills the role
        where   /spec
        effect  nothing was changed

      2 errors, 1 warning in 2 files.
      "
    `);
    expect(renderDiagnostics([])).toBe("");
  });

  it("has five parts for a failure, and offers to try again only when that can help", () => {
    const failure = {
      code: "integrity",
      retry: "terminal",
      message: "expected sha256 9f2c..e1, got 03ab..77 (5.2 GB from huggingface.co)",
      remedy: "if the change is intended: holdfast lock qwen3-8b",
    } as const;
    expect(
      renderFailure(failure, {
        what: "qwen3-8b: file model-Q4_K_M.gguf does not match the lock",
        where: "manifests/chat.yaml:9",
        effect: "nothing was replaced; other models continued",
      }),
    ).toMatchInlineSnapshot(`
      "error[integrity]: qwen3-8b: file model-Q4_K_M.gguf does not match the lock
        where   manifests/chat.yaml:9
        why     expected sha256 9f2c..e1, got 03ab..77 (5.2 GB from huggingface.co)
        effect  nothing was replaced; other models continued
        next    if the change is intended: holdfast lock qwen3-8b
      "
    `);
    expect(renderFailure({ code: "unreachable", retry: "transient", message: "no answer" })).toContain("next    try again");
    expect(renderFailure({ code: "not-found", retry: "terminal", message: "no such model" })).not.toContain("next");
  });
});

describe("renderApplyText", () => {
  it("shows what became of each action, failures with reason and next step, and ends with a stable line", () => {
    expect(
      renderApplyText(richPlan, [
        { state: "applied", actionId: "a1", detail: "freed 41.0 GB" },
        { state: "failed", actionId: "a2", failure: { code: "stalled", retry: "transient", message: "no byte for 30 s at 1.1 GB" } },
        { state: "skipped", actionId: "a5", because: "a2 failed" },
      ]),
    ).toMatchInlineSnapshot(`
      "applied     model/llama3-8b-old  purge  freed 41.0 GB
      failed      model/qwen3-8b       pull  stalled
      not reached model/embed-small    repair
      not reached model/coder          tag
      skipped     backend/chat         activate  a2 failed
      not reached model/gone           forget

      error[stalled]: model/qwen3-8b: pull failed
        where   manifests/chat.yaml:3, registry.ollama.ai/library/qwen3:8b
        why     no byte for 30 s at 1.1 GB
        effect  actions that depend on it were skipped; the others went on
        next    run it again: the same attempt may succeed later

      Applied: 1 applied, 1 failed, 1 skipped, 3 not reached.
      "
    `);
  });
});
