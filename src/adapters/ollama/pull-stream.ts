import { failed } from "../../domain/failure.ts";
import { errorTextOf, refusal, transportFailure } from "./api-failures.ts";
import { countOf, isRecord, textOf } from "./decode.ts";
import type { HttpStream } from "./http-line.ts";
import { readPullError } from "./pull-errors.ts";

/** One line of a pull. Bytes are left out of the JSON when they are 0. */
export interface PullLine {
  readonly status: string;
  readonly digest?: string;
  readonly total: number;
  readonly completed: number;
}

const maxLine = 1024 * 1024;
const maxRefusal = 64 * 1024;

/** Yields the lines of a pull and returns only after `success`; whatever else ends the stream is thrown. */
export async function* readPull(stream: HttpStream, model: string, server: string): AsyncGenerator<PullLine, void> {
  if (stream.status !== 200) {
    const answer = { status: stream.status, headers: stream.headers, bytes: await firstBytes(stream) };
    throw errorTextOf(answer) === undefined
      ? refusal(answer, server, `pull model ${model}`)
      : readPullError(errorTextOf(answer) ?? "", model, server);
  }
  for await (const text of linesOf(stream, model, server)) {
    const line = decodeLine(text, model, server);
    yield line;
    if (line.status === "success") return;
  }
  throw failed("unreachable", `could not pull model ${model}: the server ${server} ended the stream before the pull was done`, {
    retry: "transient",
    remedy: "look at the log of the Ollama server: it may have crashed or been restarted",
  });
}

function decodeLine(text: string, model: string, server: string): PullLine {
  const value = parsed(text);
  if (!isRecord(value)) {
    throw failed("protocol", `could not pull model ${model}: the server ${server} sent a line that is not JSON`, {
      retry: "transient",
      remedy: `check that ${server} is an Ollama server`,
    });
  }
  const error = textOf(value["error"]);
  if (error !== undefined) throw readPullError(error, model, server);
  const digest = textOf(value["digest"]);
  return {
    status: textOf(value["status"]) ?? "",
    total: countOf(value["total"]) ?? 0,
    completed: countOf(value["completed"]) ?? 0,
    ...(digest === undefined ? {} : { digest }),
  };
}

async function* linesOf(stream: HttpStream, model: string, server: string): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of stream.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > maxLine) throw failed("protocol", `the server ${server} sent a line of more than ${maxLine} bytes`);
      yield* lines.filter((line) => line.trim() !== "");
    }
  } catch (error) {
    throw transportFailure(error, server, `pull model ${model}`);
  }
  if (rest.trim() !== "") yield rest;
}

async function firstBytes(stream: HttpStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream.body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxRefusal) break;
  }
  return Buffer.concat(chunks);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
