import { access } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flipByte } from "../../contracts/model-store-checks.ts";
import type { OllamaPull } from "../../../src/domain/action.ts";
import { toFailure } from "../../../src/domain/failure.ts";
import type { ModelReader, ModelWriter } from "../../../src/ports/model-store.ts";
import type { FakeRegistry } from "../../fakes/ollama-registry.ts";
import { blobFile, makeSample, type OllamaSample } from "../../fakes/ollama-samples.ts";
import { sampleModel } from "./store-fixture.ts";

/** What pinned pulls need of a scene. */
export interface PinScene {
  readonly reader: ModelReader;
  readonly writer: ModelWriter;
  readonly registry: FakeRegistry;
  readonly directory: string;
  install(sample: OllamaSample): Promise<unknown>;
  close(): Promise<void>;
}

const locked = makeSample({ name: "gamma:latest", seed: 11, trailer: "\n" });
const moved = makeSample({ name: "gamma:latest", seed: 12 });

/** Pulling a locked manifest whose tag has moved on, over any Ollama. */
export function describePinnedPulls(name: string, open: () => Promise<PinScene>): void {
  describe(`pinned pulls: ${name}`, () => {
    let scene: PinScene;
    beforeEach(async () => {
      scene = await open();
      scene.registry.publish(locked);
      scene.registry.publish(moved);
    });
    afterEach(async () => {
      await scene.close();
    });
    const request = (): OllamaPull => ({
      kind: "ollama",
      model: refOf(scene),
      digest: locked.digest,
      pin: { manifest: locked.manifest, digest: locked.digest },
    });
    const context = (signal = new AbortController().signal) => ({ id: "a1", progress: () => undefined, signal });
    const refs = async (): Promise<readonly string[]> => {
      const seen = await scene.reader.observe({ level: "presence" }, new AbortController().signal);
      return seen.state === "observed" ? seen.holdings.map((holding) => `${holding.ref} ${holding.contentId}`) : [seen.failure.message];
    };

    it("the locked bytes arrive although the tag has moved, under the wanted name and no other", async () => {
      const holding = await scene.writer.pull(request(), context());
      expect(holding).toMatchObject({ ref: refOf(scene), contentId: locked.digest, manifest: locked.manifest });
      expect(await refs()).toEqual([`${refOf(scene)} ${locked.digest}`]);
    });

    it("the model that was there is replaced, with its unshared layers", async () => {
      await scene.install(moved);
      await scene.writer.pull(request(), context());
      expect(await refs()).toEqual([`${refOf(scene)} ${locked.digest}`]);
      await expect(access(blobFile(scene.directory, moved.weights))).rejects.toMatchObject({ code: "ENOENT" });
    });

    it("a repair brings back the locked bytes of one blob", async () => {
      await scene.install(locked);
      await flipByte(blobFile(scene.directory, locked.weights));
      scene.registry.sent();
      const holding = await scene.writer.repair({ ...request(), bad: [`sha256:${locked.weights}`] }, context());
      expect(
        holding.artifacts.every(({ found, declaredSha256 }) => found.state === "present" && "sha256" in found && found.sha256 === declaredSha256),
      ).toBe(true);
      expect(scene.registry.sent()).toEqual([locked.weights]);
      expect(await refs()).toEqual([`${refOf(scene)} ${locked.digest}`]);
    });

    it("what was there stays, and no helper name, when the registry no longer has the bytes", async () => {
      await scene.install(moved);
      scene.registry.faults.missingBlobs.add(locked.weights);
      await expect(scene.writer.pull(request(), context())).rejects.toMatchObject({ failure: { code: "not-refetchable" } });
      expect(await refs()).toEqual([`${refOf(scene)} ${moved.digest}`]);
    });

    it("what was there stays, and no helper name, when the pull is aborted", async () => {
      await scene.install(moved);
      const abort = new AbortController();
      scene.registry.faults.hanging.add(locked.weights);
      const pull = scene.writer.pull(request(), context(abort.signal)).catch((error: unknown) => toFailure(error).code);
      await scene.registry.hangs();
      abort.abort();
      expect(await pull).toBe("cancelled");
      await scene.registry.idle();
      expect(await refs()).toEqual([`${refOf(scene)} ${moved.digest}`]);
    });
  });
}

function refOf(scene: PinScene): string {
  return sampleModel(locked, scene.registry.host).ref;
}
