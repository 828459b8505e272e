import { describe, expect, it, onTestFinished } from "vitest";
import { createServingReader } from "../../../src/adapters/vllm/serving-reader.ts";
import { backendRows, checkBackends, sightsOf } from "../../../src/app/selection/backends.ts";
import { backendOf } from "../../fakes/content.ts";
import { startServingServer, type ServingMode } from "../../fakes/serving-server.ts";

const signal = new AbortController().signal;

async function fleet(modes: readonly ServingMode[]) {
  const servers = await Promise.all(modes.map((mode, index) => startServingServer({ mode, id: `model-${index}` })));
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close()))));
  const backends = servers.map((server, index) => backendOf(`b${String(index).padStart(2, "0")}`, { type: "vllm", url: server.url }));
  const readers = backends.map((backend) => createServingReader({ backend: backend.metadata.name, url: backend.url ?? "", timeoutMs: 60_000 }));
  return { backends, readers };
}

describe("checking backends", () => {
  it("S1.12 twenty backends of which five hang are all told within one wait, however long each reader would have", async () => {
    const modes = Array.from({ length: 20 }, (_, index): ServingMode => (index % 4 === 0 ? "hang" : "ready"));
    const { backends, readers } = await fleet(modes);
    const checks = await checkBackends(backends.toReversed(), readers, 1500, signal);
    expect(checks.map(({ observation }) => observation?.state)).toEqual(modes.map((mode) => (mode === "hang" ? "unknown" : "serving")));
    expect(checks[0]?.observation).toMatchObject({ failure: { code: "timeout", message: "no answer in 1.5 s" } });
  });

  it("S1.43 tells loading and broken backends from available ones; one without an address is not asked", async () => {
    const { backends, readers } = await fleet(["ready", "loading", "html"]);
    const checks = await checkBackends([...backends, backendOf("disk", { store: "/models" })], readers, 3000, signal);
    expect(backendRows(checks)["vllm"]?.map(({ state, available }) => [state, available])).toEqual([
      ["available", true],
      ["loading", false],
      ["unknown", null],
    ]);
    expect(backendRows(checks)["ollama"]?.map(({ state }) => state)).toEqual(["no address"]);
    const sights = sightsOf(checks);
    expect([...sights].map(([name, sight]) => [name, sight.state])).toEqual([
      ["b00", "up"],
      ["b01", "down"],
      ["b02", "down"],
    ]);
  });

  it("is cancelled at once, and not taken for an answer", async () => {
    const { backends, readers } = await fleet(["hang"]);
    const controller = new AbortController();
    const checking = checkBackends(backends, readers, 60_000, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await expect(checking).rejects.toThrow("enough");
  });
});
