import { join } from "node:path";
import { metricsOf, type MetricsRow } from "../../app/metrics.ts";
import { registryFiles } from "../../app/publish.ts";
import { failed } from "../../domain/failure.ts";
import { describeAbsence } from "../../registry/absence.ts";
import { decodeRegistry } from "../../registry/legacy.ts";
import { findEntry } from "../../registry/query.ts";
import type { RegistryEntry } from "../../registry/entry.ts";
import { numberOf, plainJson } from "../../registry/json-text.ts";
import { renderTable } from "../../report/table.ts";
import { decodeOutputs, writeOutputs } from "../outputs.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast metrics`: hash, lock and measured speed of the models in the registry. */
export async function metrics(session: Session, options: CommonOptions & { readonly name?: string }): Promise<number> {
  const outputs = decodeOutputs(options.output ?? [], ["json"] as const);
  const host = await session.host();
  const path = join(host.paths.registry, registryFiles.merged);
  const text = await host.outputs.read(path);
  if (text === undefined) throw failed("not-found", `there is no registry at ${path}`, { remedy: "holdfast import (or reconcile) writes it" });
  const { entries } = decodeRegistry(text, path, "merged");
  const rows = await metricsOf(options.name === undefined ? entries : [entryNamed(entries, options.name)], host.state);
  const json = rows.map(jsonOf);
  writeOutputs(outputs, {
    text: () => textOf(rows, session.width),
    json: () => `${JSON.stringify(options.name === undefined ? json : json[0], undefined, 2)}\n`,
  });
  return 0;
}

function entryNamed(entries: readonly RegistryEntry[], name: string): RegistryEntry {
  const found = findEntry(entries, name);
  if (found.state === "found") return found.entry;
  const absence = describeAbsence(entries, name, { showDeprecated: true, includeTesting: true });
  throw failed(
    "not-found",
    absence?.message ?? `no model called ${JSON.stringify(name)} is in the registry`,
    absence === undefined ? {} : { remedy: absence.remedy },
  );
}

function jsonOf({ name, hash, aggregate_sha256, locked, performance }: MetricsRow): object {
  return { name, hash, aggregate_sha256, locked, performance: plainJson(performance) };
}

function textOf(rows: readonly MetricsRow[], width: number): string {
  if (rows.length === 0) return "No models.\n";
  const right = { align: "right" } as const;
  const columns = [
    { title: "name", minimum: 12 },
    { title: "hash" },
    { title: "locked" },
    { title: "samples", ...right },
    { title: "first token ms", ...right },
    { title: "tokens/s", ...right },
  ];
  const text = (value: MetricsRow["performance"]["ttft_ms_avg"]): string => (value === null ? "" : String(numberOf(value) ?? ""));
  return renderTable(
    columns,
    rows.map(({ name, hash, locked, performance }) => [
      name,
      hash,
      locked ? "yes" : "no",
      String(performance.rolling_samples),
      text(performance.ttft_ms_avg),
      text(performance.throughput_toks_per_s_avg),
    ]),
    { width },
  );
}
