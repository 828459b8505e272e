import type { Diagnostic } from "../../domain/diagnostic.ts";
import type { Milliseconds } from "../../domain/resource.ts";
import { longestTimer, parseDuration } from "../duration.ts";
import { suggestion } from "../nearest.ts";
import { quote } from "../quote.ts";
import { resolveDir, type Bases } from "../resolve-dir.ts";
import { settingsByKey, type Setting, type SettingKey } from "./setting.ts";

/** The five places a setting can come from, strongest first. */
export type Origin = "flag" | "environment" | "project file" | "user file" | "default";

/** One value of a settings file and where it is written. */
export interface FileValue {
  readonly value: string | number | boolean;
  readonly place: string;
}

/** Every place that settings are looked for. */
export interface SettingSources {
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly project: ReadonlyMap<string, FileValue>;
  readonly user: ReadonlyMap<string, FileValue>;
}

/** A value and where it came from; `place` is the variable or the line. */
export interface Found {
  readonly value: string | number | boolean;
  readonly from: Origin;
  readonly place: string;
}

/** A setting as `holdfast config` shows it. */
export interface Provenance {
  readonly key: string;
  readonly value: string;
  readonly from: Origin;
  readonly detail: string;
}

/** Reads settings one by one and remembers where each came from. */
export interface Layers {
  /** The strongest usable value; values that cannot be used become diagnostics. */
  find(key: SettingKey): Found | undefined;
  /** The same without the environment, for settings whose variables have rules of their own. */
  findWritten(key: SettingKey): Found | undefined;
  /** Takes note of what a setting was resolved to. */
  record(key: string, value: string, from: Origin, detail: string): void;
  path(key: SettingKey, otherwise?: { readonly dir: string; readonly detail: string }): string | undefined;
  duration(key: SettingKey): Milliseconds;
  integer(key: SettingKey, otherwise?: { readonly value: number; readonly detail: string }): number;
  choice<const T extends string>(key: SettingKey, options: readonly [T, ...T[]]): T;
  toggle(key: SettingKey): boolean | undefined;
  readonly provenance: readonly Provenance[];
  readonly diagnostics: Diagnostic[];
}

/** Opens the sources for reading. */
export function openLayers(sources: SettingSources, bases: Bases): Layers {
  const provenance: Provenance[] = [];
  const diagnostics: Diagnostic[] = [];
  const record = (key: string, value: string, from: Origin, detail: string): void => void provenance.push({ key, value, from, detail });
  const find = (key: SettingKey): Found | undefined => findSetting(key, sources, diagnostics);
  const withoutEnv: SettingSources = { ...sources, env: {} };
  const take = (key: SettingKey): Found | undefined => {
    const found = find(key);
    if (found !== undefined) record(key, String(found.value), found.from, found.place);
    return found;
  };
  return {
    find,
    findWritten: (key) => findSetting(key, withoutEnv, diagnostics),
    record,
    provenance,
    diagnostics,
    path: (key, otherwise) => {
      const found = find(key);
      const resolved = found === undefined ? undefined : resolveDir(String(found.value), bases);
      if (resolved !== undefined && "problem" in resolved) diagnostics.push(unusable(key, found, resolved.problem, resolved.remedy));
      else if (resolved !== undefined && found !== undefined) {
        record(key, resolved.dir, found.from, found.place);
        return resolved.dir;
      }
      record(key, otherwise?.dir ?? "not set", "default", otherwise?.detail ?? "");
      return otherwise?.dir;
    },
    duration: (key) => {
      const found = take(key);
      const ms = parseDuration(String(found?.value ?? "")) ?? 0;
      if (key.startsWith("timeouts.") && ms > longestTimer)
        diagnostics.push(unusable(key, found, "is longer than the 24 days that can be waited for", "write a shorter time"));
      return ms;
    },
    integer: (key, otherwise) => {
      const found = take(key);
      if (found !== undefined) return Number(found.value);
      if (otherwise !== undefined) record(key, String(otherwise.value), "default", otherwise.detail);
      return otherwise?.value ?? 0;
    },
    choice: (key, options) => {
      const value = take(key)?.value;
      return options.find((option) => option === value) ?? options[0];
    },
    toggle: (key) => {
      const value = take(key)?.value;
      return typeof value === "boolean" ? value : undefined;
    },
  };
}

function findSetting(key: SettingKey, sources: SettingSources, diagnostics: Diagnostic[]): Found | undefined {
  const setting = settingsByKey.get(key);
  if (setting === undefined) return undefined;
  const texts = [
    { text: sources.flags[key], from: "flag", place: `--${key}` } as const,
    ...setting.environment.map((name) => ({ text: unquoted(sources.env[name]), from: "environment", place: name }) as const),
  ];
  for (const { text, from, place } of texts) {
    if (text === undefined || text === "") continue;
    const parsed = parseText(setting, text);
    if ("value" in parsed) return { value: parsed.value, from, place };
    diagnostics.push(unusable(key, { value: text, from, place }, parsed.problem, parsed.remedy));
  }
  const project = sources.project.get(key);
  if (project !== undefined) return { value: project.value, from: "project file", place: project.place };
  const user = sources.user.get(key);
  if (user !== undefined) return { value: user.value, from: "user file", place: user.place };
  return setting.default === undefined ? undefined : { value: setting.default, from: "default", place: "" };
}

/** Variables lose surrounding spaces and quotes, as Ollama reads them. */
function unquoted(text: string | undefined): string | undefined {
  return text?.trim().replaceAll(/^["']+|["']+$/g, "");
}

/** A diagnostic for a value that cannot be used. */
export function unusable(key: string, found: Found | undefined, problem: string, remedy: string | undefined): Diagnostic {
  const place = found?.place === undefined || found.place === "" ? key : found.place;
  return {
    severity: "error",
    code: "settings.value",
    message: `${place}: ${quote(found?.value)} ${problem}`,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

const yes: ReadonlySet<string> = new Set(["1", "true", "yes", "on"]);
const no: ReadonlySet<string> = new Set(["0", "false", "no", "off"]);

function parseText(
  setting: Setting,
  text: string,
): { readonly value: string | number | boolean } | { readonly problem: string; readonly remedy?: string } {
  switch (setting.kind) {
    case "path":
    case "text":
      return /\p{Cc}/u.test(text) ? { problem: "has a control character" } : { value: text };
    case "duration":
      return parseDuration(text) === undefined
        ? { problem: "is not a length of time", remedy: "write a whole number and one of ms, s, m, h, d, w, for example 30s or 7d" }
        : { value: text };
    case "choice": {
      const remedy = suggestion(text, setting.choices);
      return setting.choices.includes(text)
        ? { value: text }
        : { problem: `is not one of ${setting.choices.join(", ")}`, ...(remedy?.startsWith("did") === true ? { remedy } : {}) };
    }
    case "boolean":
      if (yes.has(text.toLowerCase())) return { value: true };
      return no.has(text.toLowerCase()) ? { value: false } : { problem: "is neither true nor false", remedy: "write true or false" };
    case "integer": {
      const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= setting.minimum && value <= setting.maximum
        ? { value }
        : { problem: `is not a whole number from ${setting.minimum} to ${setting.maximum}` };
    }
  }
}
