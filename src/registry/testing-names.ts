import type { RegistryEntry } from "./entry.ts";
import { ownRecordOf } from "./own-record.ts";

const starts = ["testmodel", "mini-test", "custom-family", "synthetic-test", "logical-only-test"];
const words = ["model-awq", "model-fp16", "demo-model", "r"];

/** True for the names that test suites and demonstrations leave behind in registries; `patterns` are further beginnings. */
export function isTestingName(name: string, patterns: readonly string[] = []): boolean {
  const text = name.toLowerCase();
  const given = patterns.map((pattern) => pattern.trim().toLowerCase()).filter((pattern) => pattern !== "");
  if ([...starts, ...given].some((start) => text.startsWith(start))) return true;
  return text.includes("testzzz") || words.some((word) => text === word || text.startsWith(`${word}-`));
}

/** True for entries that are hidden unless somebody asks for testing models. A declared model is one only if its manifest says so. */
export function isTestingEntry(entry: Pick<RegistryEntry, "name" | "metadata">, patterns: readonly string[] = []): boolean {
  if (entry.metadata["testing"] === true) return true;
  return ownRecordOf(entry)?.declared !== true && isTestingName(entry.name, patterns);
}
