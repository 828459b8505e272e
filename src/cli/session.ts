import { existsSync, readFileSync } from "node:fs";
import { hostname, homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Host } from "../app/host.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { failed, type Failure } from "../domain/failure.ts";
import type { Project } from "../app/read-project.ts";
import type { ProgressSink } from "../ports/progress.ts";
import type { TextFile } from "../ports/project-source.ts";
import type { Paint } from "../report/paint.ts";
import { loadSettings, type Provenance, type Settings } from "../settings.ts";
import { exitCodes } from "../app/exit-code.ts";
import { toolVersion } from "./tool-version.ts";

/** Options that every command takes. */
export interface CommonOptions {
  readonly root?: string;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly output?: readonly string[];
  readonly color?: boolean;
  readonly progress?: string;
  readonly locked?: boolean;
}

/** What a command works with: decoded settings, and ways to the rest that cost nothing until they are used. */
export interface Session {
  readonly settings: Settings;
  readonly provenance: readonly Provenance[];
  readonly signal: AbortSignal;
  readonly paint: Paint;
  /** Paint for stderr. */
  readonly paintTalk: Paint;
  /** Columns of wrapped text. */
  readonly width: number;
  /** Columns of tables: a terminal cuts them, a file or pipe gets them whole. */
  readonly tableWidth: number;
  /** True when nobody is at the keyboard: hints are left out. */
  readonly ci: boolean;
  /** `read` (the default) never creates a state database. */
  host(access?: "read" | "write"): Promise<Host>;
  progress(): Promise<ProgressSink>;
  /** The decoded project; prints what is wrong and throws when it cannot be used. */
  project(host: Host): Promise<Extract<Project, { state: "valid" }>>;
  /** Writes talk to stderr. */
  say(text: string): void;
}

/** Thrown after the reasons were printed: only the exit code is left to set. The failure is for those who asked for JSON. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly code: number;
  readonly failure: Failure;
  readonly diagnostics: readonly Diagnostic[];

  constructor(code: number, failure: Failure, diagnostics: readonly Diagnostic[] = []) {
    super(`exit ${code}: ${failure.message}`);
    this.code = code;
    this.failure = failure;
    this.diagnostics = diagnostics;
  }
}

/** What a person wrote cannot be used; everything that is wrong with it was printed. */
export function invalid(what: string, remedy: string, diagnostics: readonly Diagnostic[]): Exit {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  const message = `${what}: ${errors === 1 ? "1 error" : `${errors} errors`}`;
  return new Exit(exitCodes.invalid, { code: "invalid-input", retry: "terminal", message, remedy }, diagnostics);
}

/** Runs a command in a session and closes whatever it opened. */
export async function withSession(options: CommonOptions, signal: AbortSignal, run: (session: Session) => Promise<number>): Promise<number> {
  const closers: (() => void | Promise<void>)[] = [];
  const session = await openSession(options, signal, closers);
  try {
    return await run(session);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

async function openSession(options: CommonOptions, signal: AbortSignal, closers: (() => void | Promise<void>)[]): Promise<Session> {
  const { createPaint } = await import("./render/style.ts");
  const colour = options.color !== false;
  const styles = { answer: createPaint(process.stdout, colour), talk: createPaint(process.stderr, colour) };
  const say = (text: string): void => void process.stderr.write(text);
  const { settings, provenance } = await readSettings(options, say, styles.talk);
  let host: Promise<Host> | undefined;
  return {
    settings,
    provenance,
    signal,
    paint: styles.answer,
    paintTalk: styles.talk,
    width: Math.min(process.stdout.columns ?? 100, 140),
    tableWidth: process.stdout.columns ?? 10_000,
    ci: isTruthy(process.env["CI"]) || isTruthy(process.env["HOLDFAST_IN_AUTOMATION"]),
    say,
    host: (access = "read") => (host ??= openHost(settings, { access, warn: (message) => say(`warning: ${message}\n`) }, closers)),
    progress: async () => {
      const { createProgress } = await import("./render/progress.ts");
      const progress = createProgress({
        mode: progressMode(options.progress),
        stream: process.stderr,
        env: process.env,
        now: Date.now,
        toolVersion: toolVersion(),
        colour,
      });
      closers.push(progress.close);
      return progress.sink;
    },
    project: async (opened) => {
      const { readProject } = await import("../app/read-project.ts");
      return usableProject(await readProject(opened, signal), settings, styles.talk);
    },
  };
}

async function openHost(
  settings: Settings,
  access: { readonly access: "read" | "write"; readonly warn: (message: string) => void },
  closers: (() => void | Promise<void>)[],
): Promise<Host> {
  const { createHost } = await import("../wiring/host.ts");
  const { host, close } = await createHost(settings, { name: hostname(), toolVersion: toolVersion(), ...access });
  closers.push(close);
  return host;
}

async function readSettings(
  options: CommonOptions,
  say: (text: string) => void,
  paint: Paint,
): Promise<{ readonly settings: Settings; readonly provenance: readonly Provenance[] }> {
  const root = resolve(options.root ?? process.cwd());
  if (!existsSync(root)) throw failed("invalid-input", `the project folder ${root} does not exist`, { remedy: "create it with: holdfast init DIR" });
  const home = homedir();
  const projectFile = textFile(
    options.config === undefined ? join(root, "configs", "holdfast.yaml") : resolve(options.config),
    root,
    options.config !== undefined,
  );
  const userFile = textFile(join(process.env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "holdfast", "config.yaml"), root, false);
  const flags = { ...settingFlags(options.set ?? []), ...(options.locked === undefined ? {} : { locked: String(options.locked) }) };
  const loaded = await loadSettings({
    flags,
    env: process.env,
    root,
    home,
    ...(projectFile === undefined ? {} : { projectFile }),
    ...(userFile === undefined ? {} : { userFile }),
  });
  if (loaded.diagnostics.length > 0) await showDiagnostics(loaded.diagnostics, say, paint);
  if (loaded.settings === undefined) throw invalid("the settings are not valid", "holdfast config lists the keys", loaded.diagnostics);
  return { settings: loaded.settings, provenance: loaded.provenance };
}

function textFile(path: string, root: string, required: boolean): TextFile | undefined {
  if (!existsSync(path)) {
    if (required) throw failed("invalid-input", `the settings file ${path} does not exist`);
    return undefined;
  }
  return { path: relative(root, path), text: readFileSync(path, "utf8") };
}

function settingFlags(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw failed("invalid-input", `--set takes key=value, not ${JSON.stringify(pair)}`, { remedy: "holdfast config lists the keys" });
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

async function usableProject(project: Project, settings: Settings, paint: Paint): Promise<Extract<Project, { state: "valid" }>> {
  const say = (text: string): void => void process.stderr.write(text);
  if (project.diagnostics.length > 0) await showDiagnostics(project.diagnostics, say, paint);
  if (project.state === "invalid") throw invalid("the project is not valid", "holdfast validate", project.diagnostics);
  if (settings.locked) {
    const { lockMismatches } = await import("../manifest/lock-file.ts");
    const mismatches = lockMismatches(project.desired, project.lock);
    if (mismatches.length > 0) {
      await showDiagnostics(mismatches, say, paint);
      throw invalid("the lock file does not fit the manifests", "holdfast lock", mismatches);
    }
  }
  return project;
}

async function showDiagnostics(diagnostics: readonly Diagnostic[], say: (text: string) => void, colour: Paint): Promise<void> {
  const { renderDiagnostics } = await import("../report/diagnostics-text.ts");
  say(renderDiagnostics(diagnostics, { colour }));
}

function progressMode(text: string | undefined): "auto" | "tty" | "plain" | "json" | "none" {
  const modes = ["auto", "tty", "plain", "json", "none"] as const;
  const mode = modes.find((candidate) => candidate === (text ?? "auto"));
  if (mode === undefined) throw failed("invalid-input", `unknown progress mode ${JSON.stringify(text)}`, { remedy: `one of: ${modes.join(", ")}` });
  return mode;
}

function isTruthy(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}
