const placeholder = /^model-ollama-gguf/;

/** Why a text cannot be a name, or undefined when it can. Says in words what the pattern `name` of schemas/common.schema.json says. */
export function nameProblem(text: string): string | undefined {
  if (text === "") return "is empty";
  if (text.length > 253) return "is longer than 253 characters";
  if (text.startsWith("-")) return "starts with -, so programs would take it for an option";
  if (/[\s\p{Cc}\p{Cf}\p{Cs}]/u.test(text)) return "has white space or an invisible character";
  if (text.includes("\\")) return "has a backslash";
  if (placeholder.test(text)) return "starts with model-ollama-gguf, the placeholder of old registries";
  const segments = text.split("/");
  if (segments.includes("")) return "has an empty part before, between or after /";
  if (segments.includes(".") || segments.includes("..")) return "has the part . or ..";
  return undefined;
}

/** Names with equal keys are the same to people and to file systems that ignore case. */
export function caseKey(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
