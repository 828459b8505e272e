import { exitCodes } from "../../app/exit-code.ts";
import { rebuildEntries } from "../../app/registry/rebuild-entries.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { changesText, editRegistry, unknownText, writtenText, type EditFlags } from "./registry-edit.ts";

/** `holdfast rebuild-ollama`: imports Ollama models and fills in what their entries do not say yet. */
export async function rebuildOllama(outer: Session, options: EditFlags & { readonly location?: string; readonly reset?: boolean }): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "rebuild-ollama", applies: true }, async (editing) => {
    const { session, host, write, backup } = editing;
    const how = {
      write,
      backup,
      progress: await session.progress(),
      ...(options.reset === true ? { reset: "ollama" } : {}),
      ...(options.location === undefined ? {} : { location: options.location }),
    };
    const result = await rebuildEntries(host, editing, how, session.signal);
    const exitCode = result.unknown.length > 0 ? exitCodes.unknown : exitCodes.done;
    const { added, removed, changed } = result.changes;
    const verb = exitCode === exitCodes.unknown ? "nothing was changed" : write ? "done" : "not written";
    writeOutputs(outputs, {
      text: () =>
        `${unknownText(result.unknown)}${changesText(result.changes, session)}${writtenText(result, editing)}Rebuild: ${verb}; ${added.length} added, ${removed.length} removed, ${changed.length} completed.\n`,
      json: () => jsonAnswer("RebuildResult", { exitCode, applied: write && exitCode === exitCodes.done, ...result }),
    });
    return exitCode;
  });
}
