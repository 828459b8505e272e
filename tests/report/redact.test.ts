import { describe, expect, it } from "vitest";
import { renderApplyText } from "../../src/report/apply-text.ts";
import { renderDiagnostics, renderFailure } from "../../src/report/diagnostics-text.ts";
import { buildDriftReport } from "../../src/report/drift-report.ts";
import { renderDriftMarkdown } from "../../src/report/drift-markdown.ts";
import { renderDriftText } from "../../src/report/drift-text.ts";
import { driftAnnotations, renderGithubAnnotations } from "../../src/report/github.ts";
import { renderJunit } from "../../src/report/junit.ts";
import { renderPlanMarkdown } from "../../src/report/plan-markdown.ts";
import { renderPlanText } from "../../src/report/plan-text.ts";
import { redact } from "../../src/report/redact.ts";
import { renderSarif } from "../../src/report/sarif.ts";
import { renderTable } from "../../src/report/table.ts";
import { actionWith, driftWith, hex, planWith, pullQwen, richReport } from "./samples.ts";

// Put together from parts, so that no scanner takes this file for a leak.
const body = "AbCdEfGh1234567890IjKlMnOpQrStUvWx";
const secrets: Readonly<Record<string, { readonly secret: string; readonly text: (secret: string) => string }>> = {
  "Hugging Face token": { secret: `hf_${body}`, text: (secret) => `token ${secret} is not valid` },
  "GitHub token": { secret: `ghp_${body}`, text: (secret) => `remote: ${secret}` },
  "GitHub app token": { secret: `ghs_${body}`, text: (secret) => secret },
  "GitHub fine-grained token": { secret: `github_pat_${body}_${body}`, text: (secret) => `(${secret})` },
  "GitLab token": { secret: `glpat-${body.slice(0, 20)}`, text: (secret) => `PRIVATE: ${secret}` },
  "OpenAI key": { secret: `sk-${body}`, text: (secret) => `key=${secret}` },
  "project key": { secret: `sk-proj-${body}_${body}`, text: (secret) => `Incorrect API key provided: ${secret}.` },
  "Slack token": { secret: `xoxb-${"1".repeat(12)}-${body}`, text: (secret) => secret },
  "AWS key id": { secret: `AKIA${"A1B2C3D4".repeat(2)}`, text: (secret) => `Credential ${secret}/2026` },
  "Google key": { secret: `AIza${body}x`, text: (secret) => `key ${secret}` },
  "Google access token": { secret: `ya29.${body}`, text: (secret) => secret },
  "npm token": { secret: `npm_${body}xy`, text: (secret) => secret },
  "PyPI token": { secret: `pypi-${body}`, text: (secret) => secret },
  "Docker token": { secret: `dckr_pat_${body}`, text: (secret) => secret },
  "Stripe key": { secret: `sk_live_${body}`, text: (secret) => secret },
  "Vault token": { secret: `hvs.${body}`, text: (secret) => secret },
  "NVIDIA key": { secret: `nvapi-${body}`, text: (secret) => secret },
  "JSON web token": { secret: `eyJ${body}.eyJ${body}.${body}`, text: (secret) => `jwt ${secret}` },
  "bearer header": { secret: `t0k3n${body}`, text: (secret) => `Authorization: Bearer ${secret}` },
  "basic header": { secret: "dXNlcjpwYXNzd29yZDEyMw==", text: (secret) => `authorization: Basic ${secret}` },
  "bare header value": { secret: `plain${body}`, text: (secret) => `authorization: ${secret}` },
  cookie: { secret: `session=${body}`, text: (secret) => `cookie: ${secret}` },
  "credentials in a URL": { secret: "user:p4ss-w0rd", text: (secret) => `GET https://${secret}@hub.example/api` },
  "password in a URL": { secret: "p4ss%20w0rd", text: (secret) => `clone https://user:${secret}@git.example/x.git failed` },
  "signed S3 URL": { secret: body, text: (secret) => `https://s3.example/x?X-Amz-Expires=1&X-Amz-Signature=${secret}&y=1` },
  "signed GCS URL": { secret: body, text: (secret) => `https://gcs.example/x?X-Goog-Signature=${secret}` },
  "signed Azure URL": { secret: "aB%2Fcd%3D", text: (secret) => `https://blob.example/x?sv=1&sig=${secret}` },
  "signed CDN URL": { secret: body, text: (secret) => `https://cdn.example/x?Policy=${secret}&Key-Pair-Id=x` },
  "environment assignment": { secret: "correct-horse", text: (secret) => `HF_TOKEN=${secret} vllm serve` },
  "password assignment": { secret: "correct-horse", text: (secret) => `password='${secret}'` },
  "JSON member": { secret: "correct horse", text: (secret) => `{"access_token": "${secret}"}` },
  "private key": { secret: `MIIE${body}`, text: (secret) => `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA PRIVATE KEY-----` },
};

/** Every rendering of free text, with the given text in every place. */
function renderingsOf(text: string): readonly string[] {
  const { formatVersion: _version, summary: _summary, drifts: _drifts, ...context } = richReport;
  const failure = { code: "upstream", retry: "terminal", message: text, remedy: text } as const;
  const plan = planWith([actionWith({ ...pullQwen, reason: text })], {
    blocked: [{ object: "store/huggingface", cause: "unknown", reason: "unknown", failure }],
  });
  const report = buildDriftReport(
    [driftWith({ class: "unknown", object: "model/a", message: text, expected: text, actual: text, response: text })],
    context,
  );
  const verdicts = [{ rule: "r", effect: "deny", message: text, remedy: text }] as const;
  return [
    renderPlanText(plan, { verdicts, details: true }),
    renderPlanMarkdown(plan, { target: "x", verdicts, reproduce: text }),
    renderApplyText(plan, [{ state: "failed", actionId: "a2", failure }]),
    renderDriftText(report),
    renderDriftMarkdown(report, { target: "x" }),
    renderSarif(report, { toolVersion: "0" }),
    renderJunit(report),
    renderGithubAnnotations(driftAnnotations(report)),
    renderTable([{ title: "x" }], [[text]], { width: 30 }),
    renderDiagnostics([{ severity: "error", code: "x", message: text, remedy: text }]),
    renderFailure(failure),
  ];
}

describe("redact", () => {
  it.each(Object.entries(secrets))("SEC-20 a %s reaches no rendering", (_name, { secret, text }) => {
    expect(redact(text(secret))).toContain("[redacted]");
    for (const rendered of renderingsOf(text(secret))) {
      expect(rendered).not.toContain(secret);
      expect(rendered).not.toContain(secret.slice(0, 12));
    }
  });

  it("SEC-20 a cut never leaves the start of a secret behind", () => {
    const secret = `hf_${body}`;
    for (let lead = 150; lead < 420; lead += 7) {
      for (const rendered of renderingsOf(`${"x ".repeat(lead / 2)}${secret}`)) expect(rendered).not.toMatch(/hf_AbC/);
    }
  });

  it("leaves what is no secret: digests, names, addresses, sentences", () => {
    for (const text of [
      `digest sha256:${hex("a")} differs from ${hex("b")}`,
      "Digest mismatch: expected sha256:9f2c",
      "hf.co/org/repo:Q4_K_M and BAAI/bge-small@9c1d33e000000000000000000000000000000000",
      "http://localhost:11434/api/tags answered 401: unauthorized",
      "basic authentication is required; bearer tokens are not supported",
      "the token is missing: set HF_TOKEN",
      "Basic rules hold, the Bearer scheme is used",
      "model/desk-lamp-with-a-very-long-name-indeed, max_tokens 4096, tokenizer.json",
    ]) {
      expect(redact(text)).toBe(text);
    }
  });

  it("keeps what helps to find the request", () => {
    expect(redact("GET https://user:secret@hub.example/a?x=1&token=abcdef failed")).toBe(
      "GET https://[redacted]@hub.example/a?x=1&token=[redacted] failed",
    );
  });
});
