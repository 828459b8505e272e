import { dirname } from "node:path";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Model } from "../domain/model.ts";
import { canonicalOllamaName, parseOllamaName } from "../domain/ollama-name.ts";
import type { Declared } from "./decode-context.ts";
import { diagnosticOf } from "./finding.ts";
import { nameOf, whereOf, type Project } from "./project.ts";
import { quote } from "./quote.ts";

/** Two models may share bytes only when they agree on what becomes of them. */
export function checkPlaces({ models, backends }: Project): readonly Diagnostic[] {
  const only = backends.filter(({ value }) => value.type === "ollama").map(nameOf);
  const first = new Map<string, Declared<Model>>();
  const shared = models.flatMap((model) => {
    const place = placeOf(model.value, only.length === 1 ? only[0] : undefined);
    if (place === undefined) return [];
    const other = first.get(place);
    if (other === undefined) first.set(place, model);
    return other === undefined ? [] : sharedPlace(model, other);
  });
  return [...shared, ...nestedDirs(models)];
}

/** The same text for models whose bytes are at the same place. */
function placeOf({ source, backend }: Model, onlyOllama: string | undefined): string | undefined {
  switch (source.kind) {
    case "remote":
      return undefined;
    case "path":
      return `dir ${source.dir}`;
    case "huggingface":
      return source.layout === "dir" ? `dir ${source.dir ?? ""}` : `hub ${source.repo}@${source.revision}`;
    case "ollama": {
      const parsed = parseOllamaName(source.model);
      return "name" in parsed ? `ollama ${backend ?? onlyOllama ?? ""} ${canonicalOllamaName(parsed.name).toLowerCase()}` : undefined;
    }
  }
}

function sharedPlace(model: Declared<Model>, other: Declared<Model>): readonly Diagnostic[] {
  const path = ["spec", "source"];
  const where = `model ${quote(nameOf(other))} (${whereOf(other)})`;
  const [mine, theirs] = [model.value.source, other.value.source];
  if (mine.kind === "ollama" && theirs.kind === "ollama" && isCaseTwin(mine.model, theirs.model)) {
    const message = `${quote(mine.model)} and ${quote(theirs.model)} of ${where} differ only in case, which Ollama ignores`;
    return [
      diagnosticOf(model.document, {
        code: "source.ollama-case-twin",
        path: [...path, "ollama", "model"],
        message,
        remedy: `write ${theirs.model}, or remove one of the two`,
      }),
    ];
  }
  if (isFolder(mine) && canonicalJson(mine) !== canonicalJson(theirs)) {
    return [
      diagnosticOf(model.document, {
        code: "source.shared-dir",
        path,
        message: `the folder already belongs to ${where}, with another content`,
        remedy: "give each model a folder of its own",
      }),
    ];
  }
  const differing = differences(model.value, other.value);
  if (differing.length === 0) return [];
  const message = `the same bytes are declared by ${where} with another ${differing.join(", ")}`;
  return [
    diagnosticOf(model.document, {
      severity: "warning",
      code: "source.shared",
      path,
      message,
      remedy: "make the two agree, or declare one model with aliases",
    }),
  ];
}

function isCaseTwin(a: string, b: string): boolean {
  const [first, second] = [parseOllamaName(a), parseOllamaName(b)];
  return "name" in first && "name" in second && canonicalOllamaName(first.name) !== canonicalOllamaName(second.name);
}

function isFolder(source: Model["source"]): boolean {
  return source.kind === "path" || (source.kind === "huggingface" && source.layout === "dir");
}

/** What of two models on the same bytes contradicts; named as a person writes it. */
function differences(a: Model, b: Model): readonly string[] {
  const facts = (model: Model): Readonly<Record<string, unknown>> => ({
    include: model.source.kind === "huggingface" ? model.source.include.toSorted() : [],
    exclude: model.source.kind === "huggingface" ? model.source.exclude.toSorted() : [],
    "lifecycle.state": model.lifecycle.state,
    "lifecycle.purgeAfter": model.lifecycle.purgeAfter ?? 0,
    protect: model.protect,
    "lock.required": model.lock.required,
  });
  const [mine, theirs] = [facts(a), facts(b)];
  return Object.keys(mine).filter((key) => canonicalJson(mine[key]) !== canonicalJson(theirs[key]));
}

/** Folders inside one another: purging the outer would take the inner along. */
function nestedDirs(models: readonly Declared<Model>[]): readonly Diagnostic[] {
  const dirs = models.flatMap((model) => {
    const { source } = model.value;
    return source.kind !== "ollama" && source.kind !== "remote" && source.dir !== undefined ? [{ model, dir: source.dir }] : [];
  });
  const owners = new Map(dirs.map(({ model, dir }) => [dir, model]));
  return dirs.flatMap(({ model, dir }) => {
    const outer = parentsOf(dir)
      .map((parent) => owners.get(parent))
      .find((owner) => owner !== undefined);
    if (outer === undefined) return [];
    const message = `the folder lies inside that of model ${quote(nameOf(outer))} (${whereOf(outer)})`;
    return [diagnosticOf(model.document, { code: "source.nested-dir", path: ["spec", "source"], message, remedy: "put the two side by side" })];
  });
}

function parentsOf(dir: string): readonly string[] {
  const parents: string[] = [];
  for (let inner = dir, outer = dirname(dir); outer !== inner; inner = outer, outer = dirname(outer)) parents.push(outer);
  return parents;
}
