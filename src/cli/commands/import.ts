import { discoverModels } from "../../app/registry/discover.ts";
import { exitCodes } from "../../app/exit-code.ts";
import { plainText } from "../../report/escape.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast import`: brings the registry up to date with what the stores hold. Moves and deletes no model. */
export async function importModels(
  session: Session,
  options: CommonOptions & { readonly dryRun?: boolean; readonly deprecatePlaceholders?: boolean },
): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host("write");
  const result = await discoverModels(
    host,
    await session.project(host),
    { write: options.dryRun !== true, deprecatePlaceholders: options.deprecatePlaceholders ?? false, progress: await session.progress() },
    session.signal,
  );
  const exitCode = result.unknown.length > 0 ? exitCodes.unknown : exitCodes.done;
  writeOutputs(outputs, {
    text: () => {
      const lines = result.found.map(({ name, store, ref }) => `${session.paint("add", "+")} ${plainText(name)}  ${plainText(ref)} (${store})\n`);
      const gone = result.gone.map(({ name, ref }) => `${session.paint("destroy", "-")} ${plainText(name)}  ${plainText(ref)} is gone\n`);
      const unknown = result.unknown.map(({ store, failure }) => `? ${store}: ${plainText(failure.message)}\n`);
      const retired = result.deprecated.map((name) => `${session.paint("change", "~")} ${plainText(name)} is deprecated: it stands for no model\n`);
      const verb = options.dryRun === true ? "would be imported" : "imported";
      return `${[...lines, ...gone, ...unknown, ...retired].join("")}Import: ${result.found.length} ${verb}, ${result.gone.length} gone, ${result.known} already known.\n`;
    },
    json: () => jsonAnswer("ImportResult", { exitCode, ...result }),
  });
  return exitCode;
}
