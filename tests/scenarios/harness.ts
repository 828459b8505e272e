import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The built program as its user runs it: a project folder, a home of its own, nothing of this machine's environment. */

const cli = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "cli", "main.js");

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project on disk and the way to run commands in it. */
export interface Project {
  readonly root: string;
  readonly home: string;
  readonly env: Record<string, string>;
  write(path: string, text: string): Promise<void>;
  read(path: string): Promise<string>;
  run(...args: readonly string[]): Promise<Ended>;
  /** Runs a command that must end with this exit code. */
  expect(code: number, ...args: readonly string[]): Promise<Ended>;
  start(...args: readonly string[]): ChildProcess;
}

/** Makes an empty project that is removed when the test ends. */
export async function createProject(env: Readonly<Record<string, string>> = {}): Promise<Project> {
  if (!existsSync(cli)) throw new Error("the program is not built: npm run build");
  const home = await mkdtemp(join(tmpdir(), "holdfast-scenario-"));
  const root = join(home, "project");
  await mkdir(join(root, "manifests"), { recursive: true });
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const all: Record<string, string> = { PATH: process.env["PATH"] ?? "", HOME: home, HF_HUB_CACHE: join(home, "hub"), NO_COLOR: "1", ...env };
  const start = (...args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [cli, ...args], { cwd: root, env: all, stdio: ["ignore", "pipe", "pipe"] });
  const project: Project = {
    root,
    home,
    env: all,
    write: async (path, text) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    },
    read: (path) => readFile(join(root, path), "utf8"),
    run: (...args) => ended(start(...args)),
    expect: async (code, ...args) => {
      const result = await ended(start(...args));
      if (result.code !== code)
        throw new Error(
          `holdfast ${args.join(" ")} ended with ${String(result.code ?? result.signal)} instead of ${code}\n${result.stdout}\n${result.stderr}`,
        );
      return result;
    },
    start,
  };
  return project;
}

/** Waits for a child and collects what it printed. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** One Model manifest as a YAML document. */
export function modelManifest(name: string, source: object, more: object = {}): string {
  return `---\n${JSON.stringify({ apiVersion: "holdfast.dev/v1", kind: "Model", metadata: { name }, spec: { source, ...more } }, undefined, 2)}\n`;
}

/** One Backend manifest as a YAML document. */
export function backendManifest(name: string, spec: object): string {
  return `---\n${JSON.stringify({ apiVersion: "holdfast.dev/v1", kind: "Backend", metadata: { name }, spec }, undefined, 2)}\n`;
}
