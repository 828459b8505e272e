import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/domain/digest.ts";
import { buildDriftReport } from "../../src/report/drift-report.ts";
import { diagnosticAnnotations, driftAnnotations, renderGithubAnnotations } from "../../src/report/github.ts";
import { renderJunit } from "../../src/report/junit.ts";
import { renderSarif } from "../../src/report/sarif.ts";
import { driftWith, hostileTexts, richReport } from "./samples.ts";

const { formatVersion: _version, summary: _summary, drifts: _drifts, ...context } = richReport;
const hostileReport = buildDriftReport(
  hostileTexts.map((text, index) =>
    driftWith({
      id: `d${index}`,
      class: "missing",
      object: `model/${text}`,
      message: text,
      response: text,
      location: { file: `manifests/${text}.yaml`, line: 1, column: 1 },
    }),
  ),
  { ...context, inSync: hostileTexts },
);

interface Sarif {
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
    readonly invocations: readonly { readonly toolExecutionNotifications?: readonly { readonly message: { readonly text: string } }[] }[];
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly partialFingerprints: Readonly<Record<string, string>>;
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string };
          readonly region: { readonly startLine: number; readonly startColumn?: number };
        };
      }[];
    }[];
  }[];
}

function runOf(text: string): Sarif["runs"][number] {
  const sarif: Sarif = JSON.parse(text);
  const [run] = sarif.runs;
  if (run === undefined || sarif.runs.length !== 1) throw new Error("one run expected");
  return run;
}

describe("renderSarif", () => {
  it("points each result at its manifest line, with a rule and a fingerprint that stays the same between passes", () => {
    const run = runOf(renderSarif(richReport, { toolVersion: "0.1.0" }));
    const [corrupt, digest, unknown] = run.results;
    expect(corrupt?.level).toBe("error");
    expect(digest?.locations[0]?.physicalLocation).toMatchObject({
      artifactLocation: { uri: "manifests/embed.yaml" },
      region: { startLine: 14, startColumn: 5 },
    });
    expect(digest?.partialFingerprints).toEqual({ "holdfastDrift/v1": sha256("digest:model/embed-small") });
    expect(unknown?.locations[0]?.physicalLocation.artifactLocation.uri).toBe("configs/holdfast.yaml");
    for (const result of run.results) expect(run.tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
  });

  it("keeps the 5,000 worst results and says how many are left out", () => {
    const many = Array.from({ length: 5_010 }, (_unused, index) => driftWith({ id: `e${index}`, class: "extra", object: `holding/${index}` }));
    const run = runOf(
      renderSarif(buildDriftReport([...many, driftWith({ class: "corrupt", object: "model/a" })], context), { toolVersion: "0.1.0" }),
    );
    expect(run.results).toHaveLength(5_000);
    expect(run.results[0]?.ruleId).toBe("drift/corrupt");
    expect(run.invocations[0]?.toolExecutionNotifications?.[0]?.message.text).toBe("11 further results were left out; the JSON report has them all");
  });

  it("encodes file names that are no plain URI", () => {
    const run = runOf(renderSarif(hostileReport, { toolVersion: "0.1.0" }));
    for (const result of run.results) expect(result.locations[0]?.physicalLocation.artifactLocation.uri).toMatch(/^[A-Za-z0-9\-._~!'()*%/]+$/);
  });
});

describe("renderJunit", () => {
  it("counts failures, errors and skipped drifts beside the models in sync", () => {
    expect(renderJunit(richReport)).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="holdfast" tests="6" failures="2" errors="1" skipped="1">
        <testsuite name="drift" tests="6" failures="2" errors="1" skipped="1" timestamp="2026-11-21T11:50:02">
          <testcase classname="drift.in-sync" name="model/a-model"/>
          <testcase classname="drift.in-sync" name="model/coder"/>
          <testcase classname="drift.corrupt" name="model/qwen3-8b model-Q4_K_M.gguf" file="manifests/chat.yaml" line="3">
            <failure type="corrupt" message="one file has other bytes">Response: repair</failure>
          </testcase>
          <testcase classname="drift.digest" name="model/embed-small" file="manifests/embed.yaml" line="14">
            <failure type="digest" message="the tag embed-small:latest has other content than the lock says (expected 77aa01f0c0de, found 51bb9d0c0de0)">Response: pull</failure>
          </testcase>
          <testcase classname="drift.unknown" name="model/mistral-7b">
            <error type="unknown" message="could not observe the Hugging Face cache: EACCES /data/hf">Response: nothing, because it is unknown</error>
          </testcase>
          <testcase classname="drift.extra" name="holding/ollama:main/registry.ollama.ai/library/phi4:latest">
            <skipped message="nobody declared it"/>
          </testcase>
        </testsuite>
      </testsuites>
      "
    `);
  });

  it("stays well-formed whatever the names are", () => {
    const text = renderJunit(hostileReport);
    // Every tag that is left after taking the known ones out would be injected.
    const rest = text.replaceAll(
      /<\?xml version="1.0" encoding="UTF-8"\?>|<\/?(?:testsuites|testsuite|testcase|failure|error|skipped)(?: [a-z]+="[^"<>]*")*\/?>/g,
      "",
    );
    expect(rest).not.toMatch(/[<>]/);
    expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/);
    expect(text.match(/<testcase /g)).toHaveLength(2 * hostileTexts.length);
    expect(text.replaceAll(/&(?:amp|lt|gt|quot|apos);/g, "")).not.toContain("&");
  });
});

describe("renderGithubAnnotations", () => {
  it("points at the manifest line and names the kind", () => {
    expect(renderGithubAnnotations(driftAnnotations(richReport))).toMatchInlineSnapshot(`
      "::error file=manifests/chat.yaml,line=3,col=1,title=drift%3A corrupt::model/qwen3-8b: one file has other bytes
      ::error file=manifests/embed.yaml,line=14,col=5,title=drift%3A digest::model/embed-small: the tag embed-small:latest has other content than the lock says (expected 77aa01f0c0de, found 51bb9d0c0de0)
      ::warning title=drift%3A unknown::model/mistral-7b: could not observe the Hugging Face cache: EACCES /data/hf
      ::notice title=drift%3A extra::holding/ollama:main/registry.ollama.ai/library/phi4:latest: nobody declared it
      "
    `);
  });

  it("prints at most nine of each kind and one that counts the rest", () => {
    const many = Array.from({ length: 30 }, (_unused, index) => ({
      severity: index % 3 === 0 ? ("error" as const) : ("warning" as const),
      title: "t",
      message: `m${index}`,
    }));
    const lines = renderGithubAnnotations(many).trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("::error"))).toHaveLength(10);
    expect(lines.filter((line) => line.startsWith("::warning"))).toHaveLength(10);
    expect(lines).toContain("::warning title=holdfast::and 11 more, see the summary");
  });

  it("SEC-23 no value can start a second workflow command or end a property", () => {
    const annotations = [
      ...driftAnnotations(hostileReport),
      ...diagnosticAnnotations(
        hostileTexts.map((text) => ({ severity: "error", code: text, message: text, remedy: text, location: { file: text, line: 2, column: 3 } })),
      ),
    ];
    for (const annotation of annotations) {
      const lines = renderGithubAnnotations([annotation]).split("\n");
      expect(lines).toHaveLength(2);
      const [command = ""] = lines;
      expect(command).toMatch(/^::error file=[^:,]*,line=\d+,col=\d+,title=[^:,]*::/);
      expect(command).not.toMatch(/[\u0000-\u001f]/);
      expect(command.replace(/^::error [^:]*::/, "")).not.toMatch(/%(?!25)/);
    }
  });
});
