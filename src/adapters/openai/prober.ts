import { failed, HoldfastError } from "../../domain/failure.ts";
import type { ProbeAnswer, Prober, ProbeRequest } from "../../ports/probe.ts";
import { decodePart, refusalIn, type AnswerPart } from "./decode-answer.ts";
import { readEvents } from "./event-stream.ts";

const mostBytes = 8 * 1024 * 1024;

/** Servers that do not know `stream_options` refuse the whole request with one of these. */
const doesNotUnderstand: ReadonlySet<number> = new Set([400, 422]);

/** What a prober needs of the machine; the clock is monotonic, in milliseconds. */
export interface ProberOptions {
  /** API keys by origin; each is sent to its own origin only. */
  readonly apiKeys?: ReadonlyMap<string, string>;
  readonly clock?: () => number;
}

/** Asks any server that speaks OpenAI's `/chat/completions`. */
export function createProber({ apiKeys, clock = () => performance.now() }: ProberOptions = {}): Prober {
  return {
    ask: async (request, signal) => {
      signal.throwIfAborted();
      const target = targetOf(request.endpoint, apiKeys);
      const late = AbortSignal.timeout(request.timeout);
      const line = { target, clock, signal: AbortSignal.any([signal, late]) };
      try {
        const answer = await send(request, line, true);
        return doesNotUnderstand.has(answer.status) ? await send(request, line, false) : answer;
      } catch (error) {
        signal.throwIfAborted();
        if (late.aborted)
          throw failed("timeout", `no complete answer from ${target.url} within ${request.timeout / 1000} s`, { retry: "transient", cause: error });
        if (error instanceof HoldfastError) throw error;
        throw failed("unreachable", `${target.url} cannot be reached (${causeOf(error)})`, { retry: "transient", cause: error });
      }
    },
  };
}

interface Target {
  readonly url: string;
  readonly authorization?: string;
}

interface Line {
  readonly target: Target;
  readonly clock: () => number;
  readonly signal: AbortSignal;
}

function targetOf(endpoint: string, apiKeys: ProberOptions["apiKeys"]): Target {
  if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint))
    throw failed("invalid-input", "the endpoint is not an HTTP URL", { remedy: "write http://host:port/v1" });
  const { protocol, host, pathname, origin, username, password } = new URL(endpoint);
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const key = apiKeys?.get(origin);
  const authorization = key !== undefined ? `Bearer ${key}` : username === "" ? undefined : `Basic ${basic}`;
  return { url: `${protocol}//${host}${pathname.replace(/\/+$/, "")}/chat/completions`, ...(authorization === undefined ? {} : { authorization }) };
}

async function send(request: ProbeRequest, { target, clock, signal }: Line, withUsage: boolean): Promise<ProbeAnswer> {
  const start = clock();
  const headers = {
    accept: "text/event-stream, application/json",
    "content-type": "application/json",
    ...(target.authorization === undefined ? {} : { authorization: target.authorization }),
  };
  const response = await fetch(target.url, { method: "POST", headers, body: JSON.stringify(bodyOf(request, withUsage)), redirect: "manual", signal });
  const type = response.headers.get("content-type") ?? "";
  if (response.status === 200 && type.includes("text/event-stream")) return await readStream(response, start, clock);
  const text = await readCapped(response);
  const durationMs = clock() - start;
  const part = response.status === 200 ? decodePart(text) : undefined;
  const base = { status: response.status, durationMs, chunks: 0, streamed: false };
  if (part !== undefined) return { ...base, ...part };
  if (response.status === 200)
    throw failed("protocol", `${target.url} answered 200 with something that is no answer`, {
      remedy: "check that this is the address of an OpenAI-compatible server",
    });
  return { ...base, text: "", error: refusalIn(text) };
}

function bodyOf({ model, prompt, image, maxTokens }: ProbeRequest, withUsage: boolean): object {
  const picture = image === undefined ? undefined : `data:${image.mediaType};base64,${Buffer.from(image.bytes).toString("base64")}`;
  const content =
    picture === undefined
      ? prompt
      : [
          { type: "text", text: prompt },
          { type: "image_url", image_url: { url: picture } },
        ];
  return {
    model,
    messages: [{ role: "user", content }],
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
    ...(withUsage ? { stream_options: { include_usage: true } } : {}),
  };
}

async function readStream(response: Response, start: number, clock: () => number): Promise<ProbeAnswer> {
  const parts: AnswerPart[] = [];
  let ttftMs: number | undefined;
  for await (const event of readEvents(bodyBytes(response), mostBytes)) {
    const part = decodePart(event);
    if (part === undefined) throw failed("protocol", `${response.url} streams something that is no answer`);
    if (part.text !== "") ttftMs ??= clock() - start;
    parts.push(part);
  }
  const base = { status: response.status, durationMs: clock() - start, streamed: true, ...(ttftMs === undefined ? {} : { ttftMs }) };
  return { ...base, ...joinParts(parts) };
}

/** The usage comes with the last part, an error with any. */
function joinParts(parts: readonly AnswerPart[]): AnswerPart & { readonly chunks: number } {
  const said = parts.filter((part) => part.text !== "");
  const { promptTokens, completionTokens } = parts.findLast((part) => part.completionTokens !== undefined) ?? {};
  const error = parts.find((part) => part.error !== undefined)?.error;
  return {
    text: said.map((part) => part.text).join(""),
    chunks: said.length,
    ...(promptTokens === undefined ? {} : { promptTokens }),
    ...(completionTokens === undefined ? {} : { completionTokens }),
    ...(error === undefined ? {} : { error }),
  };
}

async function* bodyBytes(response: Response): AsyncGenerator<Uint8Array> {
  for await (const chunk of response.body ?? []) yield chunk;
}

async function readCapped(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > mostBytes) throw failed("protocol", `the answer is longer than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error);
}
