import { availableParallelism } from "node:os";
import { join } from "node:path";
import { compareText, hasErrors, sortDiagnostics, type Diagnostic } from "./domain/diagnostic.ts";
import type { VerificationLevel } from "./domain/observed.ts";
import type { Milliseconds } from "./domain/resource.ts";
import { suggestion } from "./manifest/nearest.ts";
import type { Bases } from "./manifest/resolve-dir.ts";
import { resolveHubSettings, type HubSettings } from "./manifest/settings/hub-settings.ts";
import { openLayers, type FileValue, type Layers, type Provenance } from "./manifest/settings/layers.ts";
import { resolveOllamaAddress, type OllamaAddress } from "./manifest/settings/ollama-address.ts";
import { settingsByKey } from "./manifest/settings/setting.ts";
import type { TextFile } from "./ports/project-source.ts";

export type { Provenance };

/** Where things are, every path absolute. */
export interface Paths {
  readonly root: string;
  readonly manifests: string;
  readonly policies: string;
  readonly lock: string;
  /** Folder of the three registry files. */
  readonly registry: string;
  readonly state: string;
  readonly reports: string;
  readonly quarantine: string;
  /** Folder below which models with layout `dir` are put. */
  readonly models: string;
  /** File that tells other programs what the single-port backend serves. */
  readonly activeModel: string;
}

/** The tool's own configuration: complete, decoded, paths absolute. */
export interface Settings {
  readonly paths: Paths;
  readonly prune: {
    readonly mode: "purge" | "deprecate" | "forget" | "off";
    readonly grace: Milliseconds;
    readonly maxDeletions: number;
    readonly maxDeletionPercent: number;
  };
  readonly unmanaged: "ignore" | "import" | "deprecate" | "purge";
  readonly verify: { readonly level: VerificationLevel; readonly maxAge: Milliseconds };
  /** Undefined when neither a person nor CI has decided. */
  readonly locked: boolean | undefined;
  readonly concurrency: { readonly downloads: number; readonly hashWorkers: number };
  readonly ollama: OllamaAddress & { /** Models folder, when the server is on this machine or the folder was named. */ readonly store?: string };
  readonly huggingface: HubSettings;
  readonly timeouts: { readonly observe: Milliseconds; readonly stall: Milliseconds };
  readonly naming: "a1" | "a2" | "simple";
  readonly includeTestModels: boolean;
  readonly logDir?: string;
}

/** Everything settings are made of; files are passed in as text. */
export interface SettingsInput {
  /** By setting key, for example `prune.grace`. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly projectFile?: TextFile;
  readonly userFile?: TextFile;
  readonly root: string;
  readonly home: string;
  /** Number of processor cores; that of this machine when left out. */
  readonly cores?: number;
}

/** The settings, where each came from, and everything that is wrong with them. */
export interface LoadedSettings {
  /** Undefined when something is wrong. */
  readonly settings: Settings | undefined;
  /** Sorted by key. */
  readonly provenance: readonly Provenance[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Decodes the settings. Cheap without files: the YAML and schema libraries are loaded only for a file. */
export async function loadSettings(input: SettingsInput): Promise<LoadedSettings> {
  const project = await readFileValues(input.projectFile);
  const user = await readFileValues(input.userFile);
  const layers = openLayers({ flags: input.flags, env: input.env, project: project.values, user: user.values }, input);
  const settings = readSettings(layers, input);
  const diagnostics = sortDiagnostics([...project.diagnostics, ...user.diagnostics, ...unknownFlags(input.flags), ...layers.diagnostics]);
  return {
    settings: hasErrors(diagnostics) ? undefined : settings,
    provenance: layers.provenance.toSorted((a, b) => compareText(a.key, b.key)),
    diagnostics,
  };
}

async function readFileValues(
  file: TextFile | undefined,
): Promise<{ readonly values: ReadonlyMap<string, FileValue>; readonly diagnostics: readonly Diagnostic[] }> {
  if (file === undefined) return { values: new Map(), diagnostics: [] };
  const { decodeSettingsFile } = await import("./manifest/settings/settings-file.ts");
  return decodeSettingsFile(file);
}

function unknownFlags(flags: SettingsInput["flags"]): readonly Diagnostic[] {
  const unknown = Object.keys(flags).filter((key) => flags[key] !== undefined && !settingsByKey.has(key));
  return unknown.map((key) => {
    const remedy = suggestion(key, [...settingsByKey.keys()]);
    return {
      severity: "error",
      code: "settings.unknown-key",
      message: `there is no setting ${JSON.stringify(key)}`,
      ...(remedy === undefined ? {} : { remedy }),
    };
  });
}

function readSettings(layers: Layers, input: SettingsInput): Settings {
  const logDir = layers.path("logDir");
  return {
    paths: readPaths(layers, input),
    prune: {
      mode: layers.choice("prune.mode", ["purge", "deprecate", "forget", "off"]),
      grace: layers.duration("prune.grace"),
      maxDeletions: layers.integer("prune.maxDeletions"),
      maxDeletionPercent: layers.integer("prune.maxDeletionPercent"),
    },
    unmanaged: layers.choice("unmanaged", ["import", "ignore", "deprecate", "purge"]),
    verify: { level: layers.choice("verify.level", ["stat", "presence", "full"]), maxAge: layers.duration("verify.maxAge") },
    locked: readLocked(layers, input.env),
    concurrency: {
      downloads: layers.integer("concurrency.downloads"),
      hashWorkers: layers.integer("concurrency.hashWorkers", { value: input.cores ?? availableParallelism(), detail: "number of processor cores" }),
    },
    ollama: readOllama(layers, input),
    huggingface: resolveHubSettings(layers, input.env, input),
    timeouts: { observe: layers.duration("timeouts.observe"), stall: layers.duration("timeouts.stall") },
    naming: layers.choice("naming", ["a2", "a1", "simple"]),
    includeTestModels: layers.toggle("includeTestModels") ?? false,
    ...(logDir === undefined ? {} : { logDir }),
  };
}

function readPaths(layers: Layers, { root, home }: Bases): Paths {
  layers.record("paths.root", root, "default", "the project folder");
  const at = (key: Parameters<Layers["path"]>[0]): string => layers.path(key) ?? root;
  const registry = at("paths.registry");
  const state = at("paths.state");
  return {
    root,
    manifests: at("paths.manifests"),
    policies: at("paths.policies"),
    lock: at("paths.lock"),
    registry,
    state,
    reports: layers.path("paths.reports", { dir: registry, detail: "as paths.registry" }) ?? registry,
    quarantine: layers.path("paths.quarantine", { dir: join(state, "quarantine"), detail: "below paths.state" }) ?? join(state, "quarantine"),
    activeModel: at("paths.activeModel"),
    models: layers.path("paths.models") ?? join(home, ".local", "share", "holdfast", "models"),
  };
}

function readLocked(layers: Layers, env: SettingsInput["env"]): boolean | undefined {
  const written = layers.toggle("locked");
  if (written !== undefined) return written;
  const ci = env["CI"]?.trim().toLowerCase() ?? "";
  const inCi = ci !== "" && ci !== "0" && ci !== "false";
  layers.record("locked", inCi ? "true" : "not set", inCi ? "environment" : "default", inCi ? "CI" : "true when CI is set");
  return inCi ? true : undefined;
}

function readOllama(layers: Layers, { env, home }: SettingsInput): Settings["ollama"] {
  const address = resolveOllamaAddress(layers, env);
  const local = /^(localhost|127(\.[0-9]+){3}|\[::1\])$/.test(new URL(address.url).hostname);
  const store = layers.path(
    "ollama.store",
    local ? { dir: join(home, ".ollama", "models"), detail: "default of a server on this machine" } : undefined,
  );
  return { ...address, ...(store === undefined ? {} : { store }) };
}
