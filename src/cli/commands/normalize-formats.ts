import { exitCodes } from "../../app/exit-code.ts";
import { normalizeFormats as normalize } from "../../app/registry/normalize-formats.ts";
import { count } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { changesText, editRegistry, unknownText, writtenText, type EditFlags } from "./registry-edit.ts";

/** `holdfast normalize-formats`: looks at the files again and shows what entries say otherwise; `--apply` writes it. */
export async function normalizeFormats(outer: Session, options: EditFlags & { readonly rebuild?: boolean }): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "normalize-formats", applies: false }, async (editing) => {
    const { session, host, write, backup } = editing;
    const how = { rebuild: options.rebuild ?? false, write, backup, progress: await session.progress() };
    const result = await normalize(host, editing, how, session.signal);
    const exitCode = result.unknown.length > 0 ? exitCodes.unknown : exitCodes.done;
    const changed = result.changes.changed.length;
    writeOutputs(outputs, {
      text: () => {
        const sentence = `Normalize: ${count(changed, "entry", "entries")} ${write ? "changed" : "would change"}.\n`;
        const next = write || changed === 0 ? "" : "Next: the same with --apply writes it.\n";
        return `${unknownText(result.unknown)}${changesText(result.changes, session)}${writtenText(result, editing)}${sentence}${next}`;
      },
      json: () => jsonAnswer("NormalizeResult", { exitCode, applied: write, rebuild: how.rebuild, ...result }),
    });
    return exitCode;
  });
}
