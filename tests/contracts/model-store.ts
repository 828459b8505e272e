import { afterEach, beforeEach, describe } from "vitest";
import type { ModelStoreFixture, ModelStoreTraits, Scene } from "./model-store-fixture.ts";
import { observing, proving, tellingDamage } from "./model-store-reading.ts";
import { pulling, removing, repairing, tagging } from "./model-store-writing.ts";

/** The behaviour that every model store shows, whatever is behind it. */
export function describeModelStore(name: string, openFixture: () => Promise<ModelStoreFixture>, traits: ModelStoreTraits): void {
  describe(`model store: ${name}`, () => {
    let fixture: ModelStoreFixture;
    beforeEach(async () => {
      fixture = await openFixture();
    });
    afterEach(async () => {
      await fixture.close();
    });
    const scene = (): Scene => {
      const [first, second] = fixture.samples;
      return { fixture, first, second, signal: new AbortController().signal };
    };
    describe("observes", () => observing(scene));
    if (traits.bytes) describe("proves bytes", () => proving(scene));
    if (traits.bytes) describe("tells damage", () => tellingDamage(scene));
    if (traits.writable) describe("pulls", () => pulling(scene));
    if (traits.writable && traits.bytes) describe("repairs", () => repairing(scene));
    if (traits.writable) describe("removes", () => removing(scene));
    const { secondName } = traits;
    if (traits.writable && secondName) describe("tags", () => tagging(scene, secondName));
  });
}
