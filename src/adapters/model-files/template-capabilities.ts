import { sha256 } from "../../domain/digest.ts";
import type { ModelFacts } from "../../domain/observed.ts";

/** Facts that the text of a chat template gives away; it is hashed and searched, never rendered. */
export function templateFacts(template: string | undefined): Pick<ModelFacts, "capabilities" | "chatTemplateSha256"> {
  if (template === undefined || template === "") return { capabilities: {} };
  const tools = /tools|tool_call/.test(template);
  const splitsThinking = /content\.split\(\\?['"]<\/think>/.test(template);
  const thinking = (template.includes("<think>") && template.includes("</think>")) || splitsThinking || template.includes("reasoning_content");
  return { chatTemplateSha256: sha256(template), capabilities: { tools: fromHeader(tools), thinking: fromHeader(thinking) } };
}

/** A capability as a header states it. */
export function fromHeader(value: boolean): { readonly value: boolean; readonly from: "header" } {
  return { value, from: "header" };
}
