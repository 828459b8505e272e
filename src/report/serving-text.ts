import type { Instant } from "../domain/resource.ts";
import { plainText } from "./escape.ts";
import { noPaint, type Paint } from "./paint.ts";
import { formatAge, formatInstant } from "./quantities.ts";

/** One single-port backend and what it serves. */
export interface ServedRow {
  readonly backend: string;
  readonly state: "serving" | "loading" | "silent" | "foreign" | "stopped" | "unknown";
  /** The model that serves or is being started, when it is known. */
  readonly model?: string;
  /** Ids under which the server answers. */
  readonly ids: readonly string[];
  readonly url?: string;
  readonly pid?: number;
  readonly since?: Instant;
  /** Model, `none`, or undefined when the manifests leave it open. */
  readonly declared?: string;
  /** What went wrong in the last switch. */
  readonly problem?: string;
  readonly log?: string;
  readonly notes: readonly string[];
}

/** One paragraph for each backend: what it serves, by which process, and what does not fit together. */
export function renderServingText(rows: readonly ServedRow[], { now, colour = noPaint }: { readonly now: Instant; readonly colour?: Paint }): string {
  return rows
    .map((row) => {
      const head = `${plainText(row.backend)}  ${colour(row.state === "serving" ? "good" : "warning", plainText(headline(row)))}\n`;
      const facts = factsOf(row, now).map(([title, value]) => `  ${title.padEnd(9)} ${plainText(value)}\n`);
      return [head, ...facts, ...row.notes.map((note) => `  ! ${plainText(note)}\n`)].join("");
    })
    .join("\n");
}

function headline({ state, model, pid }: ServedRow): string {
  switch (state) {
    case "serving":
      return `serves ${model ?? "a model"}`;
    case "loading":
      return `is starting ${model ?? "a model"}`;
    case "silent":
      return `${model ?? "a model"} runs and does not answer as it should`;
    case "foreign":
      return pid === undefined ? "is served by somebody else" : `serves ${model ?? "a model"}, started by another program`;
    case "stopped":
      return "serves nothing";
    case "unknown":
      return "cannot be looked at";
  }
}

type Fact = readonly [title: string, value: string];

function factsOf(row: ServedRow, now: Instant): readonly Fact[] {
  const { url, ids, pid, since, problem, log } = row;
  const running = pid === undefined || since === undefined ? undefined : `pid ${pid}, since ${formatInstant(since)} (${formatAge(since, now)})`;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["endpoint", url === undefined ? undefined : `${url}/v1`],
    ["model id", ids.length === 0 ? undefined : ids.join(", ")],
    ["process", running],
    ["declared", declaredWords(row)],
    ["last", problem],
    ["log", log],
  ];
  return facts.flatMap(([title, value]): readonly Fact[] => (value === undefined ? [] : [[title, value]]));
}

const mended: ReadonlySet<ServedRow["state"]> = new Set(["serving", "silent", "stopped"]);

function declaredWords({ declared, state, model }: ServedRow): string {
  if (declared === undefined) return "the manifests leave it open";
  const served = state === "stopped" ? "none" : model;
  return mended.has(state) && declared !== served ? `${declared} (holdfast reconcile puts it right)` : declared;
}
