import { relative, resolve } from "node:path";
import { exitCodes } from "../../app/exit-code.ts";
import { migrateRegistry, type RegistryMigration } from "../../app/registry/migrate-registry.ts";
import { failed } from "../../domain/failure.ts";
import { renderDiagnostics } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import { count } from "../../report/quantities.ts";
import { decodeStages } from "../../registry/stage-lists.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { readInput } from "./read-input.ts";
import { editRegistry, type EditFlags, type Editing } from "./registry-edit.ts";

type MigrateFlags = EditFlags & { readonly only?: readonly string[]; readonly curatedOnly?: boolean; readonly stages?: string };

/** `holdfast migrate`: turns a registry that another program or a person wrote into manifests. */
export async function migrate(outer: Session, options: MigrateFlags, [file]: readonly string[]): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "migrate", applies: true }, async (editing) => {
    const { session, host, project, write } = editing;
    const stages = options.stages === undefined ? {} : decodeStages(await readInput(host, resolve(options.stages)), options.stages);
    const how = { only: options.only ?? [], curatedOnly: options.curatedOnly ?? false, stages, write };
    const named = file === undefined ? {} : { file: { path: file, text: await readInput(host, resolve(file)) } };
    const result = await migrateRegistry(host, project, { ...how, ...named }, session.signal);
    if (!result.usable && result.sources.length === 0)
      throw failed("not-found", `there is no registry to migrate in ${host.paths.registry}`, {
        remedy: "name a registry file, or set IMAGEWORKS_REGISTRY_DIR",
      });
    if (result.findings.length > 0) session.say(renderDiagnostics(result.findings, { colour: session.paintTalk }));
    const leftOut = result.findings.some((finding) => finding.severity === "error");
    const exitCode = !result.usable ? exitCodes.invalid : leftOut ? exitCodes.partial : exitCodes.done;
    writeOutputs(outputs, {
      text: () => textOf(result, editing),
      json: () => jsonAnswer("MigrationResult", { exitCode, applied: write, ...result }),
    });
    return exitCode;
  });
}

function textOf({ manifests, declared }: RegistryMigration, { session, host, write }: Editing): string {
  const of = (kind: "Model" | "Backend"): number => manifests.filter((manifest) => manifest.kind === kind).length;
  const lines = write
    ? manifests.map((file) => `${session.paint("good", "wrote")} ${relative(host.paths.root, file.path)}  ${plainText(file.name)}\n`).join("")
    : manifests.map((file) => file.text).join("---\n");
  const verb = write ? "Migrated" : "Would migrate";
  const next = write && manifests.length > 0 ? "Next: review them, then holdfast plan.\n" : "";
  return `${lines}${verb}: ${count(of("Model"), "model")}, ${count(of("Backend"), "backend")}; ${declared.length} declared already.\n${next}`;
}
