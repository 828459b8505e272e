import { renderTable } from "../../report/table.ts";
import { decodeOutputs, jsonAnswer, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast config`: each setting, its value, and where it comes from. */
export async function config(session: Session, options: CommonOptions): Promise<number> {
  const columns = [{ title: "setting", minimum: 12 }, { title: "value", cut: "middle" as const }, { title: "from" }, { title: "detail" }];
  writeOutputs(decodeOutputs(options.output ?? [], ["json"] as const), {
    text: () =>
      renderTable(
        columns,
        session.provenance.map(({ key, value, from, detail }) => [key, value, from, detail]),
        { width: session.tableWidth },
      ),
    json: () => jsonAnswer("Config", { settings: session.provenance }),
  });
  return 0;
}
