/** What one part of an answer adds to it. */
export interface AnswerPart {
  readonly text: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly error?: string;
}

/** Decodes a part of a streamed answer, or a whole one; undefined when it is neither. Thinking aloud counts as answering. */
export function decodePart(json: string): AnswerPart | undefined {
  const value = parsed(json);
  if (!isRecord(value)) return undefined;
  const error = errorIn(value["error"]);
  if (error !== undefined) return { text: "", error };
  const choices: unknown = value["choices"];
  if (!Array.isArray(choices)) return undefined;
  const usage = value["usage"];
  const first: unknown = choices[0];
  return { text: isRecord(first) ? textOf(first) : "", ...(isRecord(usage) ? tokensOf(usage) : {}) };
}

/** What a server says went wrong, from the body of a refusal. */
export function refusalIn(body: string): string {
  const value = parsed(body);
  const said = isRecord(value) ? (errorIn(value["error"]) ?? errorIn(value["message"]) ?? errorIn(value["detail"])) : undefined;
  return (said ?? body).replaceAll(/\s+/g, " ").trim().slice(0, 300);
}

function textOf(choice: Readonly<Record<string, unknown>>): string {
  const message = choice["delta"] ?? choice["message"];
  if (!isRecord(message)) return "";
  return ["reasoning_content", "reasoning", "content"]
    .map((key) => message[key])
    .filter((part) => typeof part === "string")
    .join("");
}

function tokensOf(usage: Readonly<Record<string, unknown>>): Pick<AnswerPart, "promptTokens" | "completionTokens"> {
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  return { ...(isCount(prompt) ? { promptTokens: prompt } : {}), ...(isCount(completion) ? { completionTokens: completion } : {}) };
}

function errorIn(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value["message"] === "string" ? value["message"] : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
