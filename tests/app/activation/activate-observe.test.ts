import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { activate, deactivate } from "../../../src/app/activation/activate.ts";
import { leftPlace, observeActivations } from "../../../src/app/activation/observe-activations.ts";
import { backendOf } from "../../fakes/content.ts";
import { useWorkspace } from "../../adapters/filesystem/workspace.ts";
import { servingWorld, type ServingWorld } from "./activation-world.ts";

const workspace = useWorkspace();
const worlds: ServingWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function serving(): Promise<ServingWorld> {
  const world = await servingWorld(await workspace());
  worlds.push(world);
  await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
  return world;
}

describe("observing all backends", () => {
  it("S1.11 tells of each managed one what runs, whether the state file agrees, and who else has the port", async () => {
    const world = await serving();
    const other = backendOf("cpu", { type: "lmdeploy", url: "http://127.0.0.1:9", active: { kind: "none" } });
    const remote = backendOf("odd", { type: "vllm", url: "https://127.0.0.1:9", active: { kind: "none" } });
    const far = backendOf("far", { type: "vllm", url: "http://192.0.2.1:8000", active: { kind: "none" } });
    const seen = await observeActivations(world.host, [world.backend, other, remote, far, backendOf("ollama")], world.stateFile);
    expect(seen.map((observation) => [observation.backend, observation.state])).toEqual([
      ["cpu", "observed"],
      ["far", "elsewhere"],
      ["gpu", "observed"],
      ["odd", "elsewhere"],
    ]);
    expect(seen[2]).toMatchObject({ stateFile: "current", listening: true, strangers: [], record: { committed: { target: { model: "a" } } } });
    expect(seen[0]).toMatchObject({ ours: [], listening: false });
    expect(seen[0]).not.toHaveProperty("stateFile");
  });

  it("S1.46 finds the server of a backend that left the manifests, which can then be stopped without its manifest", async () => {
    const world = await serving();
    const [left] = await observeActivations(world.host, [], world.stateFile);
    expect(left).toMatchObject({ backend: "gpu", state: "observed", record: { port: world.port } });
    const place = await leftPlace(world.host, "gpu");
    if (place === undefined) throw new Error("no record");
    await deactivate(world.host, { ...place, stateFile: world.stateFile, adopt: false }, world.options());
    expect(world.ours()).toEqual([]);
    expect(await leftPlace(world.host, "nobody")).toBeUndefined();
    await world.host.files.write(join(world.host.paths.records, "gpu.json"), "{", "private");
    expect(await observeActivations(world.host, [], world.stateFile)).toEqual([]);
  });

  it("S1.11 says that it does not know where processes cannot be looked at", async () => {
    const world = await serving();
    const blind = (): never => {
      throw new Error("no process table here");
    };
    const host = { ...world.host, processes: { ...world.host.processes, all: blind, find: blind, holdersOf: blind } };
    expect(await observeActivations(host, [world.backend], world.stateFile)).toMatchObject([{ backend: "gpu", state: "unknown" }]);
  });
});
