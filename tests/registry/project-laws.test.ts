import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deprecation, DiscoveredModel } from "../../src/domain/inventory.ts";
import type { Model } from "../../src/domain/model.ts";
import type { Holding, Observation } from "../../src/domain/observed.ts";
import { registryKeys } from "../../src/registry/entry.ts";
import type { ProjectionInput } from "../../src/registry/projection.ts";
import { ownRecordOf } from "../../src/registry/own-record.ts";
import {
  at,
  backend,
  desiredOf,
  entriesIn,
  hubHolding,
  lockOf,
  model,
  ollamaHolding,
  project,
  projectAgain,
  remembering,
  seen,
  unseen,
} from "./fixtures.ts";

const tags = ["a:1", "A:1", "a/b:x", "c/b:x", "model:q4_0", "llava:7b", "hf.co/o/r:Q4_K_M", "testmodel:1"];
const commits = ["1", "2"].map((digit) => digit.repeat(40));

const ollama = fc.uniqueArray(fc.constantFrom(...tags), { maxLength: 8 }).map((refs) => refs.map((ref) => ollamaHolding(ref)));
const hub = fc
  .uniqueArray(fc.tuple(fc.constantFrom("o/r", "p/r", "q/demo-model-x"), fc.constantFrom(...commits)), {
    selector: ([repo, commit]) => repo + commit,
    maxLength: 5,
  })
  .map((picks) => picks.map(([repo, commit]) => hubHolding(repo, commit, { "config.json": "{}", "m.safetensors": `${repo}${commit}` })));
const declared: fc.Arbitrary<readonly Model[]> = fc.uniqueArray(
  fc
    .record({ name: fc.constantFrom("one", "two", "llava-7b-ollama-gguf", "b-x-ollama-gguf"), tag: fc.constantFrom(...tags, "absent:1") })
    .map(({ name, tag }) => model(name, tag, { roles: [{ role: "chat", priority: 1 }], aliases: ["x"], capabilities: { vision: true } })),
  { selector: (each) => each.metadata.name, maxLength: 3 },
);

interface World {
  readonly input: Partial<ProjectionInput>;
  readonly stores: readonly Observation[];
}

const world: fc.Arbitrary<World> = fc
  .record({ ollama, hub, declared, seenOllama: fc.boolean(), remembered: fc.boolean(), locked: fc.boolean() })
  .map((pick) => {
    const stores: readonly Observation[] = [
      pick.seenOllama ? seen("ollama:local", pick.ollama) : unseen("ollama:local"),
      seen("huggingface", pick.hub),
    ];
    const discovered = pick.ollama
      .slice(0, 2)
      .map((holding, index): DiscoveredModel => ({ store: holding.store, ref: holding.ref, name: `kept-${index}`, firstSeen: at }));
    const deprecations = pick.ollama
      .slice(1, 2)
      .map((holding): Deprecation => ({ name: "kept-1", store: holding.store, ref: holding.ref, since: at, reason: "unmanaged", confirmations: 0 }));
    const memory = pick.remembered ? remembering({ discovered, deprecations }) : remembering({});
    const entries = pick.locked
      ? pick.declared.flatMap((each) =>
          pick.ollama
            .filter((holding) => holding.ref.endsWith(`/${String(each.source.kind === "ollama" ? each.source.model : "")}`))
            .slice(0, 1)
            .map((holding) => lockOf(each.metadata.name, holding)),
        )
      : [];
    return {
      stores,
      input: {
        desired: desiredOf(pick.declared, [backend("local")]),
        observed: { at, level: "presence", stores, serving: [] },
        memory,
        lock: { version: 1, entries },
      },
    };
  });

function texts(result: ReturnType<typeof project>): readonly (string | undefined)[] {
  return [result.curated, result.discovered, result.merged, JSON.stringify(result.findings)];
}

describe("laws of the projection", () => {
  it("S3.61 S3.72 equal inputs give equal bytes, in whatever order they come", () => {
    fc.assert(
      fc.property(world, fc.infiniteStream(fc.nat(5)), ({ input, stores }, stream) => {
        const mixed = <T>(items: readonly T[]): readonly T[] =>
          items
            .map((item) => ({ item, key: Number(stream.next().value) }))
            .toSorted((a, b) => a.key - b.key)
            .map(({ item }) => item);
        const holdings = (observation: Observation): Observation =>
          observation.state === "observed"
            ? {
                ...observation,
                holdings: mixed(observation.holdings).map((holding): Holding => ({ ...holding, artifacts: mixed(holding.artifacts) })),
              }
            : observation;
        const { desired, memory, observed } = input;
        if (desired === undefined || memory === undefined || observed === undefined) throw new Error("incomplete world");
        const shuffled = project({
          ...input,
          desired: { ...desired, models: mixed(desired.models) },
          observed: { ...observed, stores: mixed(stores).map(holdings) },
          memory: { ...memory, discovered: mixed(memory.discovered), deprecations: mixed(memory.deprecations) },
        });
        expect(texts(shuffled)).toEqual(texts(project(input)));
      }),
    );
  });

  it("S0.23 S3.72 projecting again on what was written changes nothing, however often", () => {
    fc.assert(
      fc.property(world, ({ input }) => {
        const first = project(input);
        const second = projectAgain(first, input);
        const third = projectAgain(second, input);
        expect(texts(second).slice(0, 3)).toEqual(texts(first).slice(0, 3));
        expect(texts(third)).toEqual(texts(second));
      }),
    );
  });

  it("S0.12 S3.16 names are unique, never a placeholder, and every entry is complete", () => {
    fc.assert(
      fc.property(world, ({ input }) => {
        const { merged } = project(input);
        const names = entriesIn(merged).map((entry) => entry.name);
        expect(new Set(names).size).toBe(names.length);
        expect(names.filter((name) => name.startsWith("model-ollama-gguf"))).toEqual([]);
        const values: readonly unknown[] = JSON.parse(merged);
        for (const value of values) expect(Object.keys(value ?? {})).toEqual(registryKeys);
      }),
    );
  });

  it("what cannot be seen is never lost: every entry that was there is there", () => {
    fc.assert(
      fc.property(world, ({ input, stores }) => {
        const first = project(input);
        const blind = stores.map((observation): Observation => unseen(observation.store));
        const second = projectAgain(first, { ...input, observed: { at, level: "presence", stores: blind, serving: [] } });
        expect(entriesIn(second.merged).map((entry) => entry.name)).toEqual(entriesIn(first.merged).map((entry) => entry.name));
        for (const entry of entriesIn(second.merged)) expect(["unknown", "remote"]).toContain(ownRecordOf(entry)?.state);
      }),
    );
  });
});
