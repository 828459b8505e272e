import { join } from "node:path";
import { failed, HoldfastError } from "../../domain/failure.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Instant } from "../../domain/resource.ts";
import { metricsOfSample, rounded, throughputOf, type MetricRecord, type Sample } from "../../domain/samples.ts";
import type { Selected } from "../../domain/selection/selection.ts";
import type { ProbeAnswer, ProbeImage, ProbeImages, Prober } from "../../ports/probe.ts";
import type { Host } from "../host.ts";
import { rememberProbe } from "../metrics.ts";
import { projectFiles, registryFiles } from "../publish.ts";
import type { Project } from "../read-project.ts";
import { observe } from "../observe.ts";
import { rememberUse } from "./select.ts";

/** What a probe needs of the machine. */
export interface ProbeParts {
  readonly host: Host;
  readonly prober: Prober;
  readonly images: ProbeImages;
}

/** What to probe. */
export interface ProbeOrder {
  readonly selected: Selected;
  /** Picture for a vision probe; undefined = text alone. */
  readonly image?: string;
  readonly prompts: readonly string[];
  /** Base URL of a proxy that routes by logical name; undefined = the backend itself. */
  readonly proxy?: string;
  readonly maxTokens: number;
  readonly timeout: number;
}

/** One prompt and what came back. */
export interface PromptResult {
  readonly prompt: string;
  readonly ok: boolean;
  readonly status_code: number;
  /** At most 160 characters. */
  readonly excerpt: string;
  readonly latency_ms: number;
  readonly ttft_ms: number | null;
  readonly tokens: number;
  readonly tokens_per_second: number | null;
  readonly error: string | null;
}

/** What a probe found. */
export interface ProbeResult {
  readonly model: string;
  readonly endpoint: string;
  readonly model_id: string;
  readonly kind: "vision" | "text";
  readonly timestamp: Instant;
  readonly media_type: string | null;
  readonly ok: boolean;
  readonly results: readonly PromptResult[];
  readonly metrics: readonly MetricRecord[];
}

interface Asked {
  readonly kind: ProbeResult["kind"];
  readonly target: { readonly endpoint: string; readonly model: string };
  readonly image?: ProbeImage;
}

/** Lets a model answer, measures it, and keeps what was found. */
export async function probe(parts: ProbeParts, order: ProbeOrder, signal: AbortSignal): Promise<ProbeResult> {
  const { host, images } = parts;
  const { candidate, endpoint, modelId } = order.selected;
  const target = order.proxy === undefined ? { endpoint, model: modelId } : { endpoint: order.proxy, model: candidate.name };
  const image = order.image === undefined ? undefined : await images.read(order.image, signal);
  const kind = image === undefined ? "text" : "vision";
  const answers = await askAll(parts, order, { kind, target, ...(image === undefined ? {} : { image }) }, signal);
  const results = answers.map(({ result }) => result);
  const samples = answers.flatMap(({ result, sample }) => (result.ok ? [sample] : []));
  const timestamp = host.clock.now();
  const tags = { provider: candidate.backendType, model: target.model, base_url: withoutCredentials(target.endpoint) };
  const ok = results.length > 0 && results.every((result) => result.ok);
  await rememberProbe(host.state, candidate.name, samples, kind === "vision" ? visionRecord(results, timestamp) : undefined);
  if (samples.length > 0) await rememberUse(host, [candidate]);
  const metrics = samples.flatMap((sample) => metricsOfSample(sample, tags));
  return {
    model: candidate.name,
    endpoint: tags.base_url,
    model_id: target.model,
    kind,
    timestamp,
    media_type: image?.mediaType ?? null,
    ok,
    results,
    metrics,
  };
}

/** One prompt after the other, so that they do not slow each other down. */
async function askAll(
  { host, prober }: ProbeParts,
  { prompts, maxTokens, timeout }: ProbeOrder,
  { kind, target, image }: Asked,
  signal: AbortSignal,
): Promise<readonly { readonly result: PromptResult; readonly sample: Sample }[]> {
  const answers: { readonly result: PromptResult; readonly sample: Sample }[] = [];
  for (const prompt of prompts) {
    const answer = await prober.ask({ ...target, prompt, ...(image === undefined ? {} : { image }), maxTokens, timeout }, signal);
    const sample = sampleOf(answer, kind, host.clock.now());
    answers.push({ sample, result: resultOf(prompt, answer, sample) });
  }
  return answers;
}

function sampleOf(answer: ProbeAnswer, kind: Sample["kind"], at: Instant): Sample {
  const { ttftMs, durationMs, promptTokens, completionTokens, chunks, streamed } = answer;
  return {
    at,
    kind,
    ...(ttftMs === undefined ? {} : { ttftMs: rounded(ttftMs) }),
    durationMs: rounded(durationMs),
    ...(promptTokens === undefined ? {} : { promptTokens }),
    tokens: completionTokens ?? chunks,
    chunks,
    streamed,
  };
}

function resultOf(prompt: string, answer: ProbeAnswer, sample: Sample): PromptResult {
  const { status, text, error } = answer;
  const speed = throughputOf(sample);
  return {
    prompt,
    ok: status === 200 && error === undefined && text.trim() !== "",
    status_code: status,
    excerpt: [...text.trim()].slice(0, 160).join(""),
    latency_ms: sample.durationMs,
    ttft_ms: sample.ttftMs ?? null,
    tokens: sample.tokens,
    tokens_per_second: speed === undefined ? null : rounded(speed),
    error: error ?? (status === 200 && text.trim() === "" ? "the answer is empty" : null),
  };
}

/**
 * What registry entries keep of a vision probe (requirements 2.1). A refusal may be about the picture, the server or the day: only answers say
 * something about the model.
 */
function visionRecord(results: readonly PromptResult[], timestamp: Instant): JsonObject | undefined {
  if (!results.every((result) => result.status_code === 200)) return undefined;
  const latency = results.reduce((sum, result) => sum + result.latency_ms, 0) / results.length;
  const problem = results.find((result) => result.error !== null)?.error;
  const notes = problem ?? `${results.length} prompt${results.length === 1 ? "" : "s"} answered`;
  return { vision_ok: results.every((result) => result.ok), timestamp, probe_version: "2", latency_ms: rounded(latency), notes };
}

function withoutCredentials(endpoint: string): string {
  const url = URL.parse(endpoint);
  return url === null ? endpoint : `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}

const defaultVisionPrompt = "Describe this image succinctly.";
export const defaultTextPrompt = "Say in one sentence what you are.";

/** The prompts of `configs/vision_probe/prompts.json`, or the built-in one when there is no such file (requirement S1.63). */
export async function readPrompts(host: Host): Promise<readonly string[]> {
  const path = join(host.paths.root, "configs", "vision_probe", "prompts.json");
  const text = await host.outputs.read(path);
  if (text === undefined) return [defaultVisionPrompt];
  const prompts = promptsIn(parsed(text));
  if (prompts.length === 0)
    throw failed("invalid-input", `${path} holds no prompts`, { remedy: 'write a JSON array of texts, or {"prompts": [...]}' });
  return prompts.slice(0, 16);
}

function promptsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value.trim() === "" ? [] : [value];
  if (Array.isArray(value)) return value.flatMap((item) => promptsIn(item));
  if (typeof value !== "object" || value === null) return [];
  const members = new Map<string, unknown>(Object.entries(value));
  const named = ["prompts", "prompt", "text"].find((key) => members.has(key));
  return named === undefined ? [...members.values()].flatMap((item) => promptsIn(item)) : promptsIn(members.get(named));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Brings the registry files up to date with a probe. When another instance is at work it is left to that; returns whether it was done here. */
export async function publishProbe(host: Host, project: Extract<Project, { state: "valid" }>, signal: AbortSignal): Promise<boolean> {
  const release = await host.lock.acquire("probe").catch((error: unknown) => {
    if (error instanceof HoldfastError && error.failure.code === "conflict") return undefined;
    throw error;
  });
  if (release === undefined) return false;
  try {
    const memory = await host.state.load();
    const desired = host.withDefaults(project.desired, memory);
    const connections = await host.connect(desired, "server", { memory, lock: project.lock });
    const observed = await observe({ ...connections, serving: [] }, { level: "stat" }, host.clock, signal);
    const files = await projectFiles(host, { project: { ...project, desired }, observed, memory });
    const texts = [
      [registryFiles.curated, files.curated],
      [registryFiles.discovered, files.discovered],
      [registryFiles.merged, files.merged],
    ] as const;
    for (const [name, text] of texts) if (text !== undefined) await host.outputs.write(join(host.paths.registry, name), text);
    return true;
  } finally {
    release();
  }
}
