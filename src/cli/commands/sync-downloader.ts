import { resolve } from "node:path";
import { exitCodes } from "../../app/exit-code.ts";
import { syncDownloader as sync } from "../../app/registry/sync-downloads.ts";
import { renderDiagnostics } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { readInput } from "./read-input.ts";
import { editRegistry, writtenText, type EditFlags } from "./registry-edit.ts";

/** `holdfast sync-downloader models.json`: takes what a downloader recorded into the registry. */
export async function syncDownloader(outer: Session, options: EditFlags, [path = ""]: readonly string[]): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "sync-downloader", applies: true }, async (editing) => {
    const { session, host, registry, write, backup } = editing;
    const text = await readInput(host, resolve(path));
    const result = await sync(host, registry, { path, text }, { write, backup });
    if (result.findings.length > 0) session.say(renderDiagnostics(result.findings, { colour: session.paintTalk }));
    const { created, updated, unchanged } = result;
    const exitCode = !result.usable ? exitCodes.invalid : result.findings.length > 0 ? exitCodes.partial : exitCodes.done;
    const verb = write ? "" : "would be ";
    writeOutputs(outputs, {
      text: () => {
        const lines = [
          ...created.map((name) => `${session.paint("add", "+")} ${plainText(name)}\n`),
          ...updated.map((name) => `${session.paint("change", "~")} ${plainText(name)}\n`),
        ];
        return `${lines.join("")}${writtenText(result, editing)}Sync: ${created.length} ${verb}created, ${updated.length} ${verb}updated, ${unchanged.length} unchanged.\n`;
      },
      json: () => jsonAnswer("DownloaderSyncResult", { exitCode, applied: write, ...result }),
    });
    return exitCode;
  });
}
