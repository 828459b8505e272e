import { exitCodes } from "../../app/exit-code.ts";
import { rebuildEntries } from "../../app/registry/rebuild-entries.ts";
import { resetEntries } from "../../app/registry/retire-entries.ts";
import { plainText } from "../../report/escape.ts";
import { count } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { changesText, editRegistry, unknownText, writtenText, type EditFlags, type Editing } from "./registry-edit.ts";

type ResetFlags = EditFlags & { readonly backend: string; readonly import?: boolean };

/** `holdfast reset-discovered`: clears discovered entries of one backend; with `--import` in one step with making them anew. */
export async function resetDiscovered(outer: Session, options: ResetFlags): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  return editRegistry(outer, options, { operation: "reset-discovered", applies: true }, (editing) =>
    options.import === true ? resetAndImport(editing, options, outputs) : reset(editing, options, outputs),
  );
}

type Outputs = ReturnType<typeof decodeOutputs<"json">>;

async function reset(editing: Editing, { backend }: ResetFlags, outputs: Outputs): Promise<number> {
  const { session, host, registry, write, backup } = editing;
  const result = await resetEntries(host, registry, { backend, write, backup });
  const verb = write ? "cleared" : "would be cleared";
  writeOutputs(outputs, {
    text: () => {
      const lines = result.retired.map((name) => `${session.paint("destroy", "-")} ${plainText(name)}\n`).join("");
      const next = write && result.retired.length > 0 ? "Next: holdfast import makes entries of what the stores hold.\n" : "";
      return `${lines}${writtenText(result, editing)}Reset: ${count(result.retired.length, "entry", "entries")} of ${backend} ${verb}.\n${next}`;
    },
    json: () => jsonAnswer("ResetResult", { exitCode: exitCodes.done, applied: write, backend, ...result }),
  });
  return exitCodes.done;
}

async function resetAndImport(editing: Editing, { backend }: ResetFlags, outputs: Outputs): Promise<number> {
  const { session, host, write, backup } = editing;
  const options = { reset: backend, write, backup, progress: await session.progress() };
  const result = await rebuildEntries(host, editing, options, session.signal);
  const exitCode = result.unknown.length > 0 ? exitCodes.unknown : exitCodes.done;
  const { added, removed, changed } = result.changes;
  writeOutputs(outputs, {
    text: () => {
      const verb = exitCode === exitCodes.unknown ? "nothing was changed" : write ? "made anew" : "would be made anew";
      const numbers = `${added.length} added, ${removed.length} removed, ${changed.length} changed`;
      return `${unknownText(result.unknown)}${changesText(result.changes, session)}${writtenText(result, editing)}Reset and import of ${backend}: ${verb}; ${numbers}.\n`;
    },
    json: () => jsonAnswer("ResetResult", { exitCode, applied: write && exitCode === exitCodes.done, backend, ...result }),
  });
  return exitCode;
}
