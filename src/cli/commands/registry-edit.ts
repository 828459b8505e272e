import { relative } from "node:path";
import type { Host } from "../../app/host.ts";
import type { Project } from "../../app/read-project.ts";
import { readRegistry, type RegistryOnDisk, type RegistryWrite } from "../../app/registry/registry-files.ts";
import { failed, type Failure } from "../../domain/failure.ts";
import { renderDiagnostics } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import type { RegistryChanges } from "../../registry/changes.ts";
import { invalid, withSession, type CommonOptions, type Session } from "../session.ts";

/** Options of every command that edits registry files. */
export type EditFlags = CommonOptions & { readonly dryRun?: boolean; readonly apply?: boolean; readonly backup?: boolean };

/** What such a command works with. */
export interface Editing {
  readonly session: Session;
  readonly host: Host;
  readonly project: Extract<Project, { state: "valid" }>;
  readonly registry: RegistryOnDisk;
  readonly write: boolean;
  readonly backup: boolean;
}

/** Runs a command on the registry files; one that writes holds the lock from before reading. `applies` is what happens without either flag. */
export async function editRegistry(
  outer: Session,
  options: EditFlags,
  { operation, applies }: { readonly operation: string; readonly applies: boolean },
  run: (editing: Editing) => Promise<number>,
): Promise<number> {
  const write = writes(options, applies);
  // These commands change no manifest and no lock file, so a lock that does not fit is no reason to refuse.
  return withSession({ ...options, locked: false }, outer.signal, async (session) => {
    const host = await session.host(write ? "write" : "read");
    const release = write ? await host.lock.acquire(operation) : () => undefined;
    try {
      const project = await session.project(host);
      const registry = await readRegistry(host, project);
      if (registry.findings.length > 0) session.say(renderDiagnostics(registry.findings, { colour: session.paintTalk }));
      if (!registry.usable) throw invalid("the discovered file is not a registry", "restore it from a copy, or move it away", registry.findings);
      return await run({ session, host, project, registry, write, backup: options.backup ?? true });
    } finally {
      release();
    }
  });
}

/** `--dry-run` and `--apply`, of which one may be given. */
export function writes(options: { readonly dryRun?: boolean; readonly apply?: boolean }, applies: boolean): boolean {
  if (options.dryRun === true && options.apply === true)
    throw failed("invalid-input", "--dry-run and --apply contradict each other", { remedy: "give one of them" });
  return options.apply === true || (applies && options.dryRun !== true);
}

/** Lines about what was kept and written. */
export function writtenText({ files, backups }: RegistryWrite, { session, host }: Pick<Editing, "session" | "host">): string {
  const name = (path: string): string => relative(host.paths.root, path);
  const kept = backups.map((path) => `${session.paint("quiet", "backup")} ${name(path)}\n`);
  const written = files.filter((file) => file.state === "written").map((file) => `${session.paint("good", "wrote")}  ${name(file.path)}\n`);
  return [...kept, ...written].join("");
}

/** Lines about stores that could not be looked at. */
export function unknownText(unknown: readonly { readonly store: string; readonly failure: Failure }[]): string {
  return unknown.map(({ store, failure }) => `? ${store}: ${plainText(failure.message)}\n`).join("");
}

/** Lines about entries that come, go and change. */
export function changesText({ added, removed, changed }: RegistryChanges, session: Session): string {
  const lines = [
    ...added.map((name) => `${session.paint("add", "+")} ${plainText(name)}`),
    ...removed.map((name) => `${session.paint("destroy", "-")} ${plainText(name)}`),
    ...changed.flatMap(({ name, keys }) => [
      `${session.paint("change", "~")} ${plainText(name)}`,
      ...keys.map(({ key, before, after }) => `    ${key}: ${short(before)} -> ${short(after)}`),
    ]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

const longest = 60;

function short(value: unknown): string {
  const text = plainText(JSON.stringify(value));
  return text.length > longest ? `${text.slice(0, longest)}...` : text;
}
