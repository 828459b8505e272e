import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Plan } from "../../src/domain/action.ts";
import { renderApplyText } from "../../src/report/apply-text.ts";
import { renderDiagnostics, renderFailure } from "../../src/report/diagnostics-text.ts";
import { buildDriftReport } from "../../src/report/drift-report.ts";
import { renderDriftMarkdown } from "../../src/report/drift-markdown.ts";
import { renderDriftText } from "../../src/report/drift-text.ts";
import { plainText } from "../../src/report/escape.ts";
import { markdownBlock, markdownText } from "../../src/report/markdown.ts";
import { renderPlanMarkdown } from "../../src/report/plan-markdown.ts";
import { renderPlanText } from "../../src/report/plan-text.ts";
import { renderStatusText } from "../../src/report/status-text.ts";
import { renderTable } from "../../src/report/table.ts";
import { actionWith, driftWith, hostileTexts, planWith, pullQwen, purgeLlama, richReport } from "./samples.ts";

const { formatVersion: _version, summary: _summary, drifts: _drifts, ...context } = richReport;
const now = "2026-11-21T12:50:02.000Z";

/** A plan in which every text that can come from outside is the given one. */
function planAbout(text: string): Plan {
  const place = { file: text, line: 1, column: 1 };
  return planWith(
    [
      actionWith({
        ...pullQwen,
        object: `model/${text}`,
        ref: text,
        reason: text,
        location: place,
        preconditions: [{ kind: "absent", store: "huggingface", ref: text }],
      }),
      actionWith({ ...purgeLlama, object: `holding/${text}`, ref: text, reason: text }),
      actionWith({
        id: "a3",
        verb: "tag",
        object: `model/${text}`,
        reason: text,
        work: { verb: "tag", request: { from: text, to: text, digest: text } },
      }),
    ],
    {
      blocked: [
        {
          object: `model/${text}`,
          cause: "unknown",
          reason: text,
          remedy: text,
          failure: { code: "upstream", retry: "transient", message: text },
          location: place,
        },
      ],
    },
  );
}

function verdictsAbout(
  text: string,
): readonly { readonly rule: string; readonly effect: "deny"; readonly message: string; readonly remedy: string; readonly actionId: string }[] {
  return [{ rule: text, effect: "deny", message: text, remedy: text, actionId: "a1" }];
}

function driftsAbout(text: string): ReturnType<typeof buildDriftReport> {
  const drift = driftWith({
    id: text,
    class: "digest",
    object: `model/${text}`,
    store: `ollama:${text}`,
    ref: text,
    path: text,
    message: text,
    expected: text,
    actual: `${text}2`,
    response: text,
    location: { file: text, line: 1, column: 1 },
  });
  return buildDriftReport([drift], {
    ...context,
    inSync: [text],
    verifiedAt: { never: [text] },
    revision: { commit: text, dirty: true, digest: text },
  });
}

/** Every rendering for people, each with the given text in every place. */
function textsAbout(text: string): readonly string[] {
  const failure = { code: "upstream", retry: "terminal", message: text, remedy: text } as const;
  return [
    renderPlanText(planAbout(text), { host: text, nextCommand: text, details: true, verdicts: verdictsAbout(text) }),
    renderDriftText(driftsAbout(text), { details: true }),
    renderApplyText(planAbout(text), [
      { state: "applied", actionId: "a2", detail: text },
      { state: "skipped", actionId: "a3", because: text },
      { state: "failed", actionId: "a1", failure },
    ]),
    renderTable([{ title: "a" }, { title: "b" }], [[text, text]], { width: 40 }),
    renderStatusText(
      [{ name: text, roles: [text], desired: text, applied: text, drift: text, health: text, suspended: true, sizeBytes: 1, since: text }],
      { now, notes: [text] },
    ),
    renderDiagnostics([{ severity: "error", code: text, message: text, location: { file: text, line: 1, column: 1 }, pointer: text, remedy: text }], {
      effect: text,
    }),
    renderFailure(failure, { what: text, where: text, effect: text }),
  ];
}

function markdownAbout(text: string): readonly string[] {
  return [
    renderPlanMarkdown(planAbout(text), { target: text, verdicts: verdictsAbout(text), reproduce: text, updated: text }),
    renderDriftMarkdown(driftsAbout(text), { target: text }),
  ];
}

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.array(fc.constantFrom(...hostileTexts), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
  fc
    .array(fc.constantFrom("|", "`", "``", "\\", "\n", "<", ">", "@", "#1", "*", "_", "~~~", "---", "[x](y)", "a", " ", "::", "\u202e", "\u001b["), {
      maxLength: 30,
    })
    .map((parts) => parts.join("")),
);
const unsafe =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]/u;

describe("what people read", () => {
  it.each(hostileTexts.map((text) => [plainText(text), text] as const))(
    "SEC-21 no control, bidi or zero width character of %s reaches a terminal",
    (_shown, text) => {
      for (const rendered of [...textsAbout(text), ...markdownAbout(text)]) {
        expect(rendered).not.toMatch(unsafe);
        expect(rendered.isWellFormed()).toBe(true);
      }
    },
  );

  it("SEC-21 no text whatever puts a control, bidi or zero width character into any rendering", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const rendered of [...textsAbout(text), ...markdownAbout(text)]) {
          expect(rendered).not.toMatch(unsafe);
          expect(rendered.isWellFormed()).toBe(true);
        }
      }),
    );
  });

  it("SEC-21 what is escaped is still shown", () => {
    expect(plainText("a\u001b[31mb\nc\u202ed")).toBe("a\\u{1b}[31mb\\nc\\u{202e}d");
  });

  it("SEC-23 no line of any text is a command to a CI runner", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const line of [...textsAbout(text), ...markdownAbout(text)].flatMap((rendered) => rendered.split("\n"))) {
          expect(line).not.toMatch(/^\s*::/);
          expect(line).not.toContain("##[");
        }
      }),
    );
  });

  it("renders the same bytes each time", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect([...textsAbout(text), ...markdownAbout(text)]).toEqual([...textsAbout(text), ...markdownAbout(text)]);
      }),
      { numRuns: 30 },
    );
  });
});

/** What a Markdown reader makes of a comment, names and prose left out. */
function structureOf(markdown: string): readonly string[] {
  return markdown.split("\n").map((line) => {
    if (line.startsWith("|")) return `row of ${line.split("|").length}`;
    const withoutCode = line.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, "code");
    return withoutCode.match(/^(?:#+ |- |```+diff|```+$|<[^>]*>|\*\*|$)/)?.[0]?.replace(/^`+/, "fence") ?? "text";
  });
}

describe("what GitHub renders", () => {
  const plain = markdownAbout("plain").map(structureOf);

  it.each(hostileTexts.map((text) => [plainText(text), text] as const))(
    "SEC-22 the structure of a comment is the same with %s as with a plain name",
    (_shown, text) => {
      for (const [index, markdown] of markdownAbout(text).entries()) {
        const [marker, ...rest] = structureOf(markdown);
        const [plainMarker, ...plainRest] = plain[index] ?? [];
        expect(marker?.slice(0, 4)).toBe(plainMarker?.slice(0, 4));
        expect(rest).toEqual(plainRest);
      }
    },
  );

  it("SEC-22 a mention and an issue number are broken also after entities were decoded", () => {
    expect(markdownText("@org #12 www.x.example https://y")).toBe("&#64;&#8203;org &#35;&#8203;12 www&#8203;.x.example https&#58;&#8203;//y");
  });

  it("SEC-22 no line can close a code block", () => {
    expect(markdownBlock(["```", "````", "~~~"], "diff")).toBe("`````diff\n```\n````\n~~~\n`````");
  });

  it("SEC-22 no text can format, mention, link or become HTML outside of code", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const [index, markdown] of markdownAbout(text).entries()) {
          expect(structureOf(markdown).slice(1)).toEqual((plain[index] ?? []).slice(1));
          const prose = markdown.replaceAll(/^(```+)diff\n[\s\S]*?\n\1$/gm, "").replaceAll(/(?<!`)(`+)(?!`)[^\n]*?[^`\n]\1(?!`)/g, "code");
          const known = /^<!-- holdfast:(?:plan|drift) v1 target=[A-Za-z0-9_.-]* -->$|<\/?(?:details|summary)>/gm;
          expect(prose.replaceAll(known, "")).not.toMatch(/[<>`]|@|:\/\/|\bwww\.|#\w(?<!&#\d)|\]\(/);
        }
      }),
    );
  });
});
