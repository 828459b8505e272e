import type { ModelFacts } from "../../domain/observed.ts";
import { isRecord, someText, wholeNumber } from "./decode-json.ts";
import { present } from "./file-facts.ts";
import type { FolderFiles } from "./folder-files.ts";
import { fromHeader, templateFacts } from "./template-capabilities.ts";

type JsonRecord = Readonly<Record<string, unknown>>;

const mebibyte = 1024 * 1024;

/** What the small files beside the weights say: `config.json`, the tokenizer's chat template, the licence of the README. */
export async function describeFolder(files: FolderFiles): Promise<ModelFacts> {
  const config = (await files.json("config.json", 2 * mebibyte)) ?? {};
  const template = templateFacts(await chatTemplate(files));
  const capabilities = { ...configCapabilities(config, files), ...template.capabilities };
  return { ...configFacts(config), ...present("license", await licenseOf(files)), ...template, capabilities };
}

function configFacts(config: JsonRecord): Omit<ModelFacts, "capabilities"> {
  const text = textConfig(config);
  const quantization = isRecord(config["quantization_config"]) ? someText(config["quantization_config"]["quant_method"]) : undefined;
  return {
    ...present("architecture", architectures(config)[0]),
    ...present("family", someText(config["model_type"])),
    ...present("contextLength", firstNumber(text, ["max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"])),
    ...present("embeddingLength", firstNumber(text, ["hidden_size", "n_embd", "d_model"])),
    ...present("quantization", quantization),
  };
}

function configCapabilities(config: JsonRecord, files: FolderFiles): ModelFacts["capabilities"] {
  const embedding = files.has("modules.json") || files.has("1_Pooling/config.json");
  const generates = architectures(config).some((name) => /(ForCausalLM|ForConditionalGeneration|LMHeadModel)$/.test(name));
  return {
    ...(embedding || generates ? { text: fromHeader(generates && !embedding), embedding: fromHeader(embedding) } : {}),
    ...(isRecord(config["vision_config"]) ? { vision: fromHeader(true) } : {}),
    ...(isRecord(config["audio_config"]) ? { audio: fromHeader(true) } : {}),
  };
}

function architectures(config: JsonRecord): readonly string[] {
  const value = config["architectures"];
  return Array.isArray(value) ? value.map(someText).filter((name) => name !== undefined) : [];
}

/** Models that see or hear keep the numbers of their language part one level deeper. */
function textConfig(config: JsonRecord): JsonRecord {
  const nested = ["text_config", "llm_config", "language_config"].map((key) => config[key]).find(isRecord);
  return nested === undefined ? config : { ...config, ...nested };
}

function firstNumber(config: JsonRecord, keys: readonly string[]): number | undefined {
  return keys.map((key) => wholeNumber(config[key])).find((value) => value !== undefined);
}

/** In the order in which transformers looks for it. */
async function chatTemplate(files: FolderFiles): Promise<string | undefined> {
  const own = await files.text("chat_template.jinja", mebibyte);
  if (own !== undefined) return own;
  const ofProcessor = await files.json("chat_template.json", mebibyte);
  const value = ofProcessor?.["chat_template"] ?? (await files.json("tokenizer_config.json", 2 * mebibyte))?.["chat_template"];
  if (!Array.isArray(value)) return someText(value);
  const named = value.filter(isRecord);
  return someText((named.find((entry) => entry["name"] === "default") ?? named[0])?.["template"]);
}

async function licenseOf(files: FolderFiles): Promise<string | undefined> {
  const readme = await files.text("README.md", 2 * mebibyte);
  const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(readme ?? "")?.[1] ?? "";
  const license = /^license:[ \t]*["']?([\w.-]+)["']?[ \t]*$/m.exec(frontMatter)?.[1];
  return license === "other" ? (/^license_name:[ \t]*["']?([\w.-]+)["']?[ \t]*$/m.exec(frontMatter)?.[1] ?? license) : license;
}
