import { readFileSync } from "node:fs";
import { join } from "node:path";
import { failed } from "../../domain/failure.ts";
import { plainText } from "../../report/escape.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { listEntries, listRow, type ListFilter, type ListRow } from "../../registry/query.ts";
import { formatBytes } from "../../report/quantities.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, writeOutputs } from "../outputs.ts";
import { invalid, type CommonOptions, type Session } from "../session.ts";

type ListOptions = CommonOptions & {
  readonly role?: string;
  readonly backend?: string;
  readonly showDeprecated?: boolean;
  readonly includeTesting?: boolean;
};

/** `holdfast list`: the models in the registry, from the files alone; no server is asked. */
export async function list(session: Session, options: ListOptions): Promise<number> {
  const path = join(session.settings.paths.registry, "model_registry.json");
  const { entries, findings } = decodeRegistry(readRegistry(path), path);
  for (const finding of findings) session.say(`${finding.severity}: ${plainText(finding.message)}\n`);
  if (entries.length === 0 && findings.some((finding) => finding.severity === "error"))
    throw invalid(`${path} is not a registry`, "holdfast import (or reconcile) writes it anew", findings);
  const filter: ListFilter = {
    showDeprecated: options.showDeprecated ?? false,
    includeTesting: options.includeTesting ?? session.settings.includeTestModels,
    ...(options.role === undefined ? {} : { role: options.role }),
    ...(options.backend === undefined ? {} : { backend: options.backend }),
  };
  const rows = listEntries(entries, filter).map(listRow);
  writeOutputs(decodeOutputs(options.output ?? [], ["json", "name"] as const), {
    text: () => textOf(rows, session),
    json: () => `${JSON.stringify(rows, undefined, 2)}\n`,
    name: () => rows.map((row) => `${row.name}\n`).join(""),
  });
  return 0;
}

function readRegistry(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw failed("not-found", `there is no registry at ${path}`, { remedy: "holdfast import (or reconcile) writes it", cause: error });
  }
}

function textOf(rows: readonly ListRow[], session: Session): string {
  if (rows.length === 0) return "No models.\n";
  const columns = [
    { title: "name", minimum: 12 },
    { title: "backend" },
    { title: "locked" },
    { title: "vision" },
    { title: "roles" },
    { title: "hash" },
    { title: "size", align: "right" as const },
    { title: "served as", cut: "middle" as const },
  ];
  const cells = rows.map((row) => [
    row.name,
    row.backend,
    row.locked ? "yes" : "no",
    row.vision ? "yes" : "no",
    row.roles.join(","),
    row.hash,
    row.size_bytes === null ? "-" : formatBytes(row.size_bytes),
    row.served_model_id ?? "-",
  ]);
  return renderTable(columns, cells, { width: session.tableWidth });
}
