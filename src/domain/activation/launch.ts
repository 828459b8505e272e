import { argumentsOf, endpointOf, isEngine, ownArgument, type EngineType } from "./arguments.ts";
import { markerVariable } from "./environment.ts";
import type { ServingTarget } from "./activation.ts";
import type { Backend } from "../backend.ts";
import { compareText } from "../diagnostic.ts";
import { contentDigest, sha256 } from "../digest.ts";
import { fileSelected } from "../file-patterns.ts";
import { canonicalJson } from "../json.ts";
import type { Model } from "../model.ts";
import type { Holding } from "../observed.ts";

/** What is to be started, or why that cannot be said. */
export type LaunchAttempt = { readonly target: ServingTarget } | { readonly problem: string; readonly remedy?: string };

/** What a model on a backend is started as: argument list, identity and files. Pure; nothing is looked up. */
export function launchOf(backend: Backend, model: Model, holding: Holding): LaunchAttempt {
  const { type } = backend;
  if (!isEngine(type)) return { problem: `a ${type} backend is not started by Holdfast` };
  const endpoint = endpointOf(backend);
  if ("problem" in endpoint) return { problem: endpoint.problem, remedy: "give the backend host and port on this machine" };
  const found = pathToServe(type, holding);
  if ("problem" in found) return found;
  const { path } = found;
  const servedId = model.servedModelId ?? model.metadata.name;
  const env = { ...backend.launch?.env, ...model.launch.env };
  const problem = hostile(servedId, path, model) ?? ownArgument(type, model) ?? ownVariable(env);
  if (problem !== undefined) return { problem, remedy: `change Model ${model.metadata.name}` };
  const argv = argumentsOf(type, backend, { endpoint, servedId, path, model });
  const files = [path, model.launch.chatTemplate].filter((file) => file !== undefined);
  return { target: identified(model, holding, { servedId, ...(type === "vllm" ? { root: path } : {}), argv, env, files }) };
}

function ownVariable(env: Readonly<Record<string, string>>): string | undefined {
  return markerVariable in env ? `${markerVariable} is set by Holdfast itself` : undefined;
}

function identified(model: Model, holding: Holding, started: Pick<ServingTarget, "servedId" | "root" | "argv" | "env" | "files">): ServingTarget {
  const { name } = model.metadata;
  const { content, contentDigest: hashed } = contentOf(model, holding);
  return {
    model: name,
    ...started,
    source: { store: holding.store, ref: holding.ref },
    content,
    ...(hashed === undefined ? {} : { contentDigest: hashed }),
    digest: sha256(canonicalJson({ model: name, content, argv: started.argv, env: started.env })),
  };
}

/** A commit says everything; a folder is told by its listing and, once every file was hashed, by its bytes. */
function contentOf(model: Model, holding: Holding): Pick<ServingTarget, "content" | "contentDigest"> {
  if (holding.contentId !== undefined) return { content: holding.contentId };
  const { source } = model;
  const files =
    source.kind === "huggingface"
      ? holding.artifacts.filter((artifact) => fileSelected(artifact.path, source.include, source.exclude))
      : holding.artifacts;
  const lines = files.toSorted((a, b) => compareText(a.path, b.path)).map((artifact) => `${artifact.path}\0${artifact.size}\n`);
  const content = `files:${sha256(lines.join(""))}`;
  const hashed = files.flatMap(({ path, size, found }) =>
    found.state === "present" && found.level !== "presence" ? [{ path, size, sha256: found.sha256 }] : [],
  );
  return hashed.length === 0 || hashed.length < files.length ? { content } : { content, contentDigest: contentDigest(hashed) };
}

const firstShard = /-00001-of-\d{5}\.gguf$/i;
const anyShard = /-\d{5}-of-\d{5}\.gguf$/i;

function pathToServe(type: EngineType, holding: Holding): { readonly path: string } | { readonly problem: string; readonly remedy?: string } {
  if (holding.store.startsWith("ollama:"))
    return {
      problem: `${holding.ref} is in an Ollama store, which ${type} cannot serve`,
      remedy: "declare its files as a huggingface or path source",
    };
  const { location } = holding;
  if (location === undefined || !location.startsWith("/")) return { problem: `it is not known where the files of ${holding.ref} are` };
  if (type !== "gguf") return { path: location };
  const weights = holding.artifacts.map((artifact) => artifact.path).filter((path) => /\.gguf$/i.test(path) && !/(^|\/)mmproj/i.test(path));
  const first = weights.filter((path) => firstShard.test(path) || !anyShard.test(path)).toSorted(compareText);
  if (first.length === 1 && first[0] !== undefined) return { path: `${location}/${first[0]}` };
  if (first.length === 0) return { problem: `${holding.ref} has no GGUF file` };
  return { problem: `${holding.ref} has several GGUF files: ${first.join(", ")}`, remedy: "choose one with huggingface.include" };
}

/** Values that a program could take for options, or that no program can be given. */
function hostile(servedId: string, path: string, model: Model): string | undefined {
  const template = model.launch.chatTemplate;
  for (const [what, value] of [
    ["the served id", servedId],
    ["the path", path],
    ["the chat template", template],
  ] as const) {
    if (value?.startsWith("-") === true) return `${what} ${JSON.stringify(value)} starts with a dash, so the engine would take it for an option`;
    if (value?.includes("\0") === true) return `${what} holds a NUL character`;
  }
  const texts = [...model.launch.args, ...Object.values(model.launch.env)];
  return texts.some((text) => text.includes("\0")) ? "launch holds a NUL character" : undefined;
}
