import type { DesiredState } from "../domain/desired.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { sha256 } from "../domain/digest.ts";
import type { LockFile } from "../domain/lock.ts";
import { decodeProject } from "../manifest/decode.ts";
import type { TextFile } from "../ports/project-source.ts";
import type { Host } from "./host.ts";

/** What a person declared, decoded; or why it cannot be used, everything at once. */
export type Project =
  | {
      readonly state: "valid";
      readonly desired: DesiredState;
      readonly lock: LockFile;
      readonly lockDigest?: string;
      readonly curated?: TextFile;
      /** Warnings and notes. */
      readonly diagnostics: readonly Diagnostic[];
    }
  | { readonly state: "invalid"; readonly diagnostics: readonly Diagnostic[] };

/** Reads manifests, policies and lock at one revision and decodes them. */
export async function readProject(host: Host, signal: AbortSignal): Promise<Project> {
  const files = await host.project.read(signal);
  const decoded = decodeProject(files, host.decode);
  if (decoded.desired === undefined) return { state: "invalid", diagnostics: decoded.diagnostics };
  return {
    state: "valid",
    desired: decoded.desired,
    lock: decoded.lock,
    diagnostics: decoded.diagnostics,
    ...(files.lock === undefined ? {} : { lockDigest: sha256(files.lock.text) }),
    ...(files.curated === undefined ? {} : { curated: files.curated }),
  };
}
