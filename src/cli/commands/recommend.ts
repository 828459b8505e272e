import { recommendFor } from "../../app/selection/recommend.ts";
import { plainText } from "../../report/escape.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { Session } from "../session.ts";
import { openSelection, requestOf, type SelectionOptions } from "./selection-options.ts";

/** `holdfast recommend ROLE`: the model on this machine that suits a role or a purpose, or none. */
export async function recommendCommand(session: Session, options: SelectionOptions, [role = ""]: readonly string[]): Promise<number> {
  const host = await session.host();
  const view = await openSelection(session, host, await session.project(host), options);
  const { name, because } = recommendFor(view, role, requestOf(session, options));
  writeOutputs(decodeOutputs(options.output ?? [], ["json", "name"] as const), {
    text: () => `${plainText(name ?? "none")}  (${plainText(because)})\n`,
    json: () => jsonAnswer("Recommendation", { role, name: name ?? null, because }),
    name: () => (name === undefined ? "" : `${name}\n`),
  });
  return 0;
}
