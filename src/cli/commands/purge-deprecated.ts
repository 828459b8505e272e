import { exitCodes } from "../../app/exit-code.ts";
import { purgeEntries } from "../../app/registry/retire-entries.ts";
import { renderDiagnostics } from "../../report/diagnostics-text.ts";
import { plainText } from "../../report/escape.ts";
import { count } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { editRegistry, writtenText, type EditFlags } from "./registry-edit.ts";

/** `holdfast purge-deprecated`: removes deprecated entries that stand for no bytes, for good. */
export async function purgeDeprecated(outer: Session, options: EditFlags & { readonly placeholdersOnly?: boolean }): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "purge-deprecated", applies: true }, async (editing) => {
    const { session, host, project, registry, write, backup } = editing;
    const result = await purgeEntries(host, project, registry, { placeholdersOnly: options.placeholdersOnly ?? false, write, backup });
    if (result.findings.length > 0) session.say(renderDiagnostics(result.findings, { colour: session.paintTalk }));
    writeOutputs(outputs, {
      text: () => {
        const lines = result.retired.map((name) => `${session.paint("destroy", "-")} ${plainText(name)}\n`).join("");
        const left = result.withBytes.length === 0 ? "" : `${result.withBytes.length} left to holdfast reconcile, because their bytes may be here; `;
        const verb = write ? "removed" : "would be removed";
        return `${lines}${writtenText(result, editing)}Purge: ${left}${count(result.retired.length, "deprecated entry", "deprecated entries")} ${verb}.\n`;
      },
      json: () => jsonAnswer("PurgeResult", { exitCode: exitCodes.done, applied: write, ...result }),
    });
    return exitCodes.done;
  });
}
