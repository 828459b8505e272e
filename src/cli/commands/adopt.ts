import { relative } from "node:path";
import { adoptModels } from "../../app/adopt.ts";
import { exitCodes } from "../../app/exit-code.ts";
import { plainText } from "../../report/escape.ts";
import { count } from "../../report/quantities.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import { withSession, type CommonOptions, type Session } from "../session.ts";

/** `holdfast adopt`: writes manifests and lock for what is here already. */
export async function adopt(outer: Session, options: CommonOptions & { readonly dryRun?: boolean }, names: readonly string[]): Promise<number> {
  return withSession({ ...options, locked: false }, outer.signal, async (session) => {
    const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
    const write = options.dryRun !== true;
    const host = await session.host(write ? "write" : "read");
    const result = await adoptModels(host, await session.project(host), { names, write, progress: await session.progress() }, session.signal);
    const refused = result.locks.filter((lock) => lock.state === "refused");
    writeOutputs(outputs, {
      text: () => {
        const unknown = result.unknown.map(({ store, failure }) => `? ${store}: ${plainText(failure.message)}\n`);
        const notes = [...unknown, ...result.findings.map((finding) => `${finding.severity}: ${plainText(finding.message)}\n`)];
        if (!write) return `${notes.join("")}${result.manifests.map((file) => file.text).join("---\n")}`;
        const files = result.manifests.map(
          (file) => `${session.paint("good", "wrote")} ${relative(host.paths.root, file.path)}  ${plainText(file.name)}\n`,
        );
        const locks = refused.map((lock) => `${session.paint("error", "not locked")} ${plainText(lock.name)}: ${plainText(lock.detail)}\n`);
        return `${notes.join("")}${files.join("")}${locks.join("")}Adopted: ${count(result.manifests.length, "model")}, ${result.locks.length - refused.length} locked, ${result.passedOver} were managed already.\n`;
      },
      json: () => jsonAnswer("AdoptResult", { ...result }),
    });
    return refused.length > 0 ? exitCodes.partial : exitCodes.done;
  });
}
