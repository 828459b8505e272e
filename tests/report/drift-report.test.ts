import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DriftClass } from "../../src/domain/drift.ts";
import { renderDriftMarkdown } from "../../src/report/drift-markdown.ts";
import { buildDriftReport } from "../../src/report/drift-report.ts";
import { renderDriftText } from "../../src/report/drift-text.ts";
import { driftOrder } from "../../src/report/drift-wording.ts";
import { driftWith, hex, richDrifts, richReport } from "./samples.ts";

const { formatVersion: _version, summary: _summary, drifts: _drifts, ...context } = richReport;

describe("buildDriftReport", () => {
  it("counts every class, also those that do not occur, and puts the worst first", () => {
    expect(richReport.summary).toEqual({
      corrupt: 1,
      digest: 1,
      incomplete: 0,
      missing: 0,
      unknown: 1,
      unverified: 0,
      role: 0,
      backend: 0,
      "stale-runner": 0,
      config: 0,
      "upstream-moved": 0,
      extra: 1,
    });
    expect(richReport.drifts.map((drift) => drift.class)).toEqual(["corrupt", "digest", "unknown", "extra"]);
    expect(richReport.inSync).toEqual(["a-model", "coder"]);
  });

  it("does not depend on the order in which drifts were found, and the counts add up", () => {
    const drift = fc
      .record({ class: fc.constantFrom(...driftOrder), object: fc.constantFrom("model/a", "model/b", "model/c"), id: fc.string({ maxLength: 4 }) })
      .map((parts) => driftWith(parts));
    fc.assert(
      fc.property(
        fc
          .array(drift, { maxLength: 20 })
          .chain((drifts) => fc.tuple(fc.constant(drifts), fc.shuffledSubarray(drifts, { minLength: drifts.length }))),
        ([drifts, shuffled]) => {
          const report = buildDriftReport(drifts, context);
          expect(JSON.stringify(buildDriftReport(shuffled, context))).toBe(JSON.stringify(report));
          expect(Object.values(report.summary).reduce((sum, number) => sum + number, 0)).toBe(drifts.length);
        },
      ),
    );
  });

  it("knows every drift class", () => {
    const all: Readonly<Record<DriftClass, true>> = {
      missing: true,
      extra: true,
      digest: true,
      incomplete: true,
      corrupt: true,
      config: true,
      role: true,
      backend: true,
      "stale-runner": true,
      "upstream-moved": true,
      unverified: true,
      unknown: true,
    };
    expect([...driftOrder].toSorted()).toEqual(Object.keys(all).toSorted());
  });
});

describe("renderDriftText", () => {
  it("names revision, time, level and age of the proof, then each drift with its place and response, and ends with a stable line", () => {
    expect(renderDriftText(richReport, { now: "2026-11-21T12:50:02.000Z" })).toMatchInlineSnapshot(`
      "Drift of revision 4f2c1ab with local changes, observed 2026-11-21 11:50:02 UTC
      (1h ago), level full
      Bytes proven between 3d ago and 1h ago; never proven: mistral-7b.

      CORRUPT  model/qwen3-8b  one file has other bytes
               manifests/chat.yaml:3  -> repair
      DIGEST   model/embed-small
               the tag embed-small:latest has other content than the lock says
               (expected 77aa01f0c0de, found 51bb9d0c0de0)
               manifests/embed.yaml:14  -> pull
      UNKNOWN  model/mistral-7b
               could not observe the Hugging Face cache: EACCES /data/hf
               -> nothing, because it is unknown
      EXTRA    holding/ollama:main/registry.ollama.ai/library/phi4:latest
               nobody declared it
               -> import

      Drift: 1 corrupt, 1 digest, 0 missing, 1 unknown, 1 extra. 2 in sync.
      "
    `);
  });

  it("says so when there is no drift", () => {
    expect(renderDriftText(buildDriftReport([], context))).toMatchInlineSnapshot(`
      "Drift of revision 4f2c1ab with local changes, observed 2026-11-21 11:50:02 UTC,
      level full
      Bytes proven between 2026-11-18 11:50:02 UTC and 2026-11-21 11:50:02 UTC; never
      proven: mistral-7b.

      No drift. The machine matches the manifests.

      Drift: 0 corrupt, 0 digest, 0 missing, 0 unknown, 0 extra. 2 in sync.
      "
    `);
  });

  it("shortens digests in the message and shows them in full with details", () => {
    const drift = driftWith({
      class: "corrupt",
      object: "model/a",
      message: "w.bin has wrong bytes",
      expected: hex("a"),
      actual: `sha256:${hex("b")}`,
    });
    const report = buildDriftReport([drift], context);
    expect(renderDriftText(report, { width: 200 })).toContain("model/a  w.bin has wrong bytes (expected aaaaaaaaaaaa, found bbbbbbbbbbbb)\n");
    expect(renderDriftText(report, { details: true })).toContain(`expected ${hex("a")}\n`);
  });

  it("names the files when there is no commit", () => {
    expect(renderDriftText(buildDriftReport([], { ...context, revision: { dirty: false, digest: hex("c") } }))).toContain(
      "Drift of files cccccccccccc, observed",
    );
  });

  it("adds store, reference, file and id with details", () => {
    const text = renderDriftText(
      buildDriftReport([driftWith({ class: "corrupt", object: "model/a", store: "huggingface", ref: "org/a@1", path: "w.bin" })], context),
      { details: true },
    );
    expect(text).toContain("at huggingface org/a@1 w.bin");
    expect(text).toContain("id corrupt:model/a, level full");
  });
});

describe("renderDriftMarkdown", () => {
  it("writes a report that opens with the counts and says what it cannot prove", () => {
    expect(renderDriftMarkdown(richReport, { target: "gpu-01" })).toMatchInlineSnapshot(`
      "<!-- holdfast:drift v1 target=gpu-01 -->
      ### holdfast drift: gpu-01 - 1 corrupt, 1 digest, 1 unknown, 1 extra

      **:grey_question: 1 thing could not be observed: this report does not prove that nothing else differs.**

      | Severity | Class | Object | What | Where | Response |
      | --- | --- | --- | --- | --- | --- |
      | error | corrupt | \`model/qwen3-8b\` | one file has other bytes | \`manifests/chat.yaml:3\` | repair |
      | error | digest | \`model/embed-small\` | the tag embed-small:latest has other content than the lock says &#40;expected 77aa01f0c0de, found 51bb9d0c0de0&#41; | \`manifests/embed.yaml:14\` | pull |
      | warning | unknown | \`model/mistral-7b\` | could not observe the Hugging Face cache: EACCES /data/hf |  | nothing, because it is unknown |
      | note | extra | \`holding/ollama:main/registry.ollama.ai/library/phi4:latest\` | nobody declared it |  | import |

      <details>
      <summary>What the classes mean</summary>

      - **corrupt**: stored bytes are not what their own metadata says
      - **digest**: other content than the lock or the manifest says
      - **unknown**: could not be observed
      - **extra**: there, and nobody declared it

      </details>

      Speaks of revision 4f2c1ab with local changes, observed 2026-11-21 11:50:02 UTC, level full; bytes proven between 2026-11-18 11:50:02 UTC and 2026-11-21 11:50:02 UTC; never proven: mistral-7b.

      Drift: 1 corrupt, 1 digest, 0 missing, 1 unknown, 1 extra. 2 in sync.
      "
    `);
  });

  it("stays below 60,000 UTF-16 units and says what is left out", () => {
    const long = "|<@`\u{1f600}".repeat(200);
    const many = Array.from({ length: 3_000 }, (_unused, index) =>
      driftWith({ class: "missing", object: `model/${long}${index}`, message: long, response: long }),
    );
    const text = renderDriftMarkdown(buildDriftReport([...many, ...richDrifts], context), { target: "x" });
    expect(text.length).toBeLessThan(60_000);
    expect(text).toMatch(/\.\.\. and \d+ more drifts\./);
  });
});
