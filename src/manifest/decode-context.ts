import type { Milliseconds } from "../domain/resource.ts";
import { longestTimer, parseDuration } from "./duration.ts";
import type { Finding } from "./finding.ts";
import type { Segment, YamlDocument } from "./yaml-document.ts";

/** What decoding needs to know about the machine; every folder is absolute. */
export interface DecodeOptions {
  /** The project root: relative folders start here. */
  readonly root: string;
  readonly home: string;
  /** Where models with layout `dir` are put that name no folder. */
  readonly defaultModelsDir: string;
  /** Base URL of Ollama backends that name neither an address nor a store; http://localhost:11434 when left out. */
  readonly ollamaUrl?: string;
  /** Absolute models folder of the Ollama backend that is assumed when none is declared. */
  readonly ollamaStore?: string;
}

/** A decoded manifest together with the text it came from. */
export interface Declared<T> {
  readonly value: T;
  readonly document: YamlDocument;
}

/** A decoded value and everything that is wrong with it. */
export interface Decoded<T> {
  readonly value: T;
  readonly findings: readonly Finding[];
}

/** Milliseconds of a duration that the schema has accepted; too long for a timer is a finding. */
export function timer(text: string, path: readonly Segment[], findings: Finding[]): Milliseconds {
  const ms = milliseconds(text);
  if (ms > longestTimer)
    findings.push({
      code: "duration.too-long",
      path,
      message: `${text} is longer than the 24 days that can be waited for`,
      remedy: "write a shorter time",
    });
  return ms;
}

/** Milliseconds of a duration that the schema has accepted. */
export function milliseconds(text: string): Milliseconds {
  return parseDuration(text) ?? 0;
}
