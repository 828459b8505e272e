const synonyms: Readonly<Record<string, readonly string[]>> = {
  text: ["language", "chat", "completion"],
  vision: ["visual", "multimodal", "mm", "image", "images", "vl"],
  audio: ["speech", "voice", "asr", "tts"],
  embedding: ["embeddings", "embed", "text_embedding", "representation"],
  tools: [
    "tool",
    "tool_use",
    "tooluse",
    "tool_calls",
    "tool_call",
    "tool_calling",
    "toolcalling",
    "function",
    "functions",
    "function_call",
    "function_calls",
    "function_calling",
    "functioncalling",
  ],
  thinking: ["reasoning", "reason", "think", "chain_of_thought", "cot", "reasoner", "o1", "o3", "r1", "deepseek"],
  coding_optimized: ["coding", "code"],
  json_mode: ["json", "structured_output"],
};

const canonicalOf: ReadonlyMap<string, string> = new Map(
  Object.entries(synonyms).flatMap(([name, others]) => [name, ...others].map((other): [string, string] => [other, name])),
);

/** The one name for a capability, whatever spelling it comes in; unknown names are kept in lower case. */
export function canonicalCapability(name: string): string {
  const key = name
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
  return canonicalOf.get(key) ?? key;
}
