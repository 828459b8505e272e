import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createProjectSource, type ProjectOptions } from "../../../src/adapters/project/project-source.ts";
import type { ProjectSource } from "../../../src/ports/project-source.ts";
import type { ProjectContent } from "../../contracts/project-source.ts";

/** A source over the usual layout of a project. */
export function sourceOf(root: string, options: Partial<ProjectOptions> = {}): ProjectSource {
  return createProjectSource({
    root,
    manifestsDir: "manifests",
    policiesDir: "policies",
    lockFile: "holdfast.lock.yaml",
    curatedFile: "curated.json",
    ...options,
  });
}

/** Writes files below a folder. */
export async function fill(root: string, content: ProjectContent): Promise<void> {
  for (const [path, data] of Object.entries(content)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), data);
  }
}

/** Runs git as its user would, without that user's own settings. */
export function git(root: string, ...args: readonly string[]): string {
  const env = { PATH: process.env["PATH"], HOME: root, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"];
  return execFileSync("git", [...identity, ...args], { cwd: root, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Commits everything below a folder and returns the commit. */
export function commitAll(root: string, message: string): string {
  git(root, "add", "--all", "--force");
  git(root, "commit", "--quiet", "--allow-empty", "--message", message);
  return git(root, "rev-parse", "HEAD");
}
