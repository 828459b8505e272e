import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HoldfastError } from "../../src/domain/failure.ts";
import type { Holding } from "../../src/domain/observed.ts";
import type { ModelReader, WriteContext } from "../../src/ports/model-store.ts";
import type { ModelRuntime } from "../../src/ports/model-runtime.ts";

/** A server with two models that generate and one that only embeds. */
export interface ModelRuntimeFixture {
  readonly reader: ModelReader;
  readonly runtime: ModelRuntime;
  /** References; `second` has other weights than `first`. */
  readonly refs: { readonly first: string; readonly second: string; readonly embedding?: string };
  /** Gives a name the content of another one, behind the back of the runtime, so that the weights it had are gone. */
  replace(ref: string, by: string): Promise<void>;
  /** Gives content a second name, as another program would. */
  alias(ref: string, name: string): Promise<void>;
  /** True when no helper name and no folder of one is left. */
  isTidy(): Promise<boolean>;
  close(): Promise<void>;
}

const context = (signal = new AbortController().signal): WriteContext => ({ id: "a1", progress: () => undefined, signal });
const minutes = 60_000;

/** The behaviour that the memory of every server shows, whatever is behind it. */
export function describeModelRuntime(name: string, openFixture: () => Promise<ModelRuntimeFixture>): void {
  describe(`model runtime: ${name}`, () => {
    let fixture: ModelRuntimeFixture;
    beforeEach(async () => {
      fixture = await openFixture();
    });
    afterEach(() => fixture.close());

    const seen = async (ref: string): Promise<Holding> => {
      const holding = await fixture.reader.inspect(ref, "presence", new AbortController().signal);
      if (holding === undefined || "failure" in holding) throw new Error(`${ref} is not there`);
      return holding;
    };
    const failureOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "none",
        (error: unknown) => (error instanceof HoldfastError ? error.failure.code : String(error)),
      );

    it("S2.48 loads for ever, and again without loading twice", async () => {
      const { runtime, refs } = fixture;
      const loaded = await runtime.load({ ref: refs.first, keep: "forever" }, context());
      expect(new Date(loaded.expiresAt ?? 0).getUTCFullYear()).toBeGreaterThan(2200);
      expect((await seen(refs.first)).loaded).toMatchObject({ ref: refs.first, digest: (await seen(refs.first)).contentId });
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      expect((await seen(refs.second)).loaded).toBeUndefined();
    });

    it("changes how long a loaded model stays, in both directions", async () => {
      const { runtime, refs } = fixture;
      const yearOf = async (): Promise<number> => new Date((await seen(refs.first)).loaded?.expiresAt ?? 0).getUTCFullYear();
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      await runtime.load({ ref: refs.first, keep: 30 * minutes }, context());
      expect(await yearOf()).toBeLessThan(2200);
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      expect(await yearOf()).toBeGreaterThan(2200);
    });

    it("S2.46 unloads and returns only when it is out of memory; again and of nothing is no failure", async () => {
      const { runtime, refs } = fixture;
      const { digest } = await runtime.load({ ref: refs.first, keep: "forever" }, context());
      await runtime.unload({ ref: refs.first, ...(digest === undefined ? {} : { digest }) }, context());
      expect((await seen(refs.first)).loaded).toBeUndefined();
      await runtime.unload({ ref: refs.first }, context());
      await runtime.unload({ ref: `${refs.first}-nowhere` }, context());
    });

    it("leaves alone what runs another content than the one that was meant", async () => {
      const { runtime, refs } = fixture;
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      await runtime.unload({ ref: refs.first, digest: "0".repeat(64) }, context());
      expect((await seen(refs.first)).loaded).toBeDefined();
    });

    it("S2.77 says not found for what is not there", async () => {
      expect(await failureOf(fixture.runtime.load({ ref: `${fixture.refs.first}-nowhere`, keep: "forever" }, context()))).toBe("not-found");
    });

    it("reaches a stale runner whose weights are gone from disk, and leaves nothing behind", async () => {
      const { runtime, refs } = fixture;
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      await fixture.replace(refs.first, refs.second);
      const stale = await seen(refs.first);
      expect(stale.loaded?.digest).not.toBe(stale.contentId);
      await runtime.unload({ ref: refs.first, digest: stale.loaded?.digest ?? "" }, context());
      expect((await seen(refs.first)).loaded).toBeUndefined();
      expect(await fixture.isTidy()).toBe(true);
    });

    it("tells and removes the older content also when the new one runs beside it", async () => {
      const { runtime, refs } = fixture;
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      const before = (await seen(refs.first)).contentId;
      await fixture.replace(refs.first, refs.second);
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      expect((await seen(refs.first)).loaded?.digest).toBe(before);
      await runtime.unload({ ref: refs.first, digest: before ?? "" }, context());
      const after = await seen(refs.first);
      expect(after.loaded?.digest).toBe(after.contentId);
    });

    it("an alias shares its runner: loading it is loading the other name, and so is unloading", async () => {
      const { runtime, refs } = fixture;
      const alias = refs.first.replace(/:[^:/]*$/, ":alias");
      await fixture.alias(refs.first, alias);
      await runtime.load({ ref: refs.first, keep: "forever" }, context());
      expect((await runtime.load({ ref: alias, keep: "forever" }, context())).ref).toBe(refs.first);
      await runtime.unload({ ref: alias }, context());
      expect((await seen(refs.first)).loaded).toBeUndefined();
    });

    it("loads models that only embed", async () => {
      const { runtime, refs } = fixture;
      if (refs.embedding === undefined) return;
      expect(await runtime.load({ ref: refs.embedding, keep: 30 * minutes }, context())).toMatchObject({ ref: refs.embedding });
      await runtime.unload({ ref: refs.embedding }, context());
      expect((await seen(refs.embedding)).loaded).toBeUndefined();
    });

    it("does nothing after its signal was aborted", async () => {
      expect(await failureOf(fixture.runtime.load({ ref: fixture.refs.first, keep: "forever" }, context(AbortSignal.abort())))).toBe("cancelled");
      expect((await seen(fixture.refs.first)).loaded).toBeUndefined();
    });
  });
}
