import type { Candidate } from "../../src/domain/selection/candidate.ts";
import type { SelectionRequest, SelectionWorld } from "../../src/domain/selection/hurdles.ts";
import { select } from "../../src/domain/selection/selection.ts";
import { isMain, spreadOf, timed, type BenchmarkOptions, type BenchmarkResult } from "./result.ts";

const limit = 5;

/** `select` over 1,000 models, by the last name, by an alias, by a role that all of them have, and by a name that nobody has. */
export async function benchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const world = worldOf(1000);
  const parts: BenchmarkResult[] = [];
  for (const asked of ["model-999", "alias/999", "caption", "nobody"]) {
    const samples: number[] = [];
    for (let round = 0; round < (quick ? 20 : 300); round++) samples.push(await timed(async () => select(requestFor(asked), world)));
    const ours = spreadOf(samples.slice(10));
    parts.push({ name: `select ${asked}, 1000 models`, unit: "ms", ours, target: `median below ${limit} ms`, met: ours.median < limit });
  }
  const slowest = parts.toSorted((a, b) => b.ours.median - a.ours.median)[0];
  return {
    name: "select",
    unit: "ms",
    ours: slowest?.ours ?? spreadOf([]),
    target: `median below ${limit} ms over 1000 models`,
    met: parts.every((part) => part.met),
    parts,
  };
}

function requestFor(asked: string): SelectionRequest {
  return { asked, requires: [], includeDeprecated: false, includeTesting: false, priority: "higher-wins" };
}

function worldOf(count: number): SelectionWorld {
  const candidates = Array.from({ length: count }, (_, index): Candidate => ({
    name: `model-${index}`,
    displayName: `Model ${index}`,
    servedId: `lab/model-${index}:1b`,
    aliases: [`alias/${index}`],
    earlierNames: [`model-${index}-ollama-gguf`],
    roles: [{ role: "caption", priority: index % 7 }],
    capabilities: { text: true, vision: index % 2 === 0 },
    provenance: { vision: "show" },
    backendType: "ollama",
    backend: "local",
    endpoint: "http://localhost:11434/v1",
    testing: false,
    held: "present",
  }));
  const ids = new Set(candidates.map(({ servedId }) => `registry.ollama.ai/${servedId}`));
  return {
    candidates,
    roles: [],
    backends: new Map([["local", { name: "local", type: "ollama", url: "http://localhost:11434", state: "up", ids }]]),
  };
}

if (isMain(import.meta.url)) process.stdout.write(`${JSON.stringify(await benchmark({ quick: process.argv.includes("--quick") }), undefined, 2)}\n`);
