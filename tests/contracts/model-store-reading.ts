import { appendFile, rm, truncate } from "node:fs/promises";
import { expect, it } from "vitest";
import type { VerificationLevel } from "../../src/domain/observed.ts";
import {
  expectWrongHash,
  flipByte,
  foundAt,
  hashes,
  hashesIn,
  holdingOf,
  levels,
  listed,
  listedIn,
  refsOf,
  sizeOf,
  zero,
} from "./model-store-checks.ts";
import type { Scene } from "./model-store-fixture.ts";

export function observing(scene: () => Scene): void {
  it("an empty store as empty, not as unknown", async () => {
    const { fixture, signal } = scene();
    const seen = await fixture.reader.observe({ level: "presence" }, signal);
    expect(seen).toMatchObject({ state: "observed", complete: true, holdings: [], unreadable: [] });
  });

  it("one and two models, sorted by reference, every file listed with its size", async () => {
    const { fixture, first, second, signal } = scene();
    await fixture.install(second);
    expect(await refsOf(fixture.reader, signal)).toEqual([second.ref]);
    await fixture.install(first);
    expect(await refsOf(fixture.reader, signal)).toEqual([first.ref, second.ref].toSorted());
    const holding = await holdingOf(fixture.reader, first, "presence", signal);
    expect(listed(holding)).toEqual(listedIn(first));
    expect(holding.artifacts.every((artifact) => artifact.found.state === "present")).toBe(true);
    expect(holding.store).toBe(fixture.reader.store);
  });

  it("a source that is gone as unknown with a failure, never as empty (F11)", async () => {
    const { fixture, first, signal } = scene();
    const reader = await fixture.readerOfNothing();
    const seen = await reader.observe({ level: "presence" }, signal);
    expect(seen.state).toBe("unknown");
    await expect(reader.inspect(first.ref, "presence", signal)).rejects.toMatchObject({ name: "HoldfastError" });
  });

  it("an absent reference as undefined", async () => {
    const { fixture, first, second, signal } = scene();
    await fixture.install(first);
    expect(await fixture.reader.inspect(second.ref, "presence", signal)).toBeUndefined();
  });

  it("nothing after its signal was aborted", async () => {
    const { fixture, first } = scene();
    await fixture.install(first);
    const reason = new Error("stop now");
    await expect(fixture.reader.observe({ level: "full" }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
}

export function proving(scene: () => Scene): void {
  it("presence does not claim a hash; full gives every hash; stat repeats it while the file is unchanged", async () => {
    const { fixture, first, signal } = scene();
    await fixture.install(first);
    expect(levels(await holdingOf(fixture.reader, first, "presence", signal))).toEqual(["presence"]);
    const proven = await holdingOf(fixture.reader, first, "full", signal);
    expect(levels(proven)).toEqual(["full"]);
    expect(hashes(proven)).toEqual(hashesIn(first));
    const repeated = await holdingOf(fixture.reader, first, "stat", signal);
    expect(levels(repeated)).toEqual(["stat"]);
    expect(hashes(repeated)).toEqual(hashesIn(first));
  });

  it("only the references asked for are hashed, everything is listed", async () => {
    const { fixture, first, second, signal } = scene();
    await fixture.install(first);
    await fixture.install(second);
    const seen = await fixture.reader.observe({ level: "full", refs: [first.ref] }, signal);
    if (seen.state !== "observed") throw new Error("not observed");
    const byRef = new Map(seen.holdings.map((holding) => [holding.ref, holding]));
    expect(byRef.get(first.ref)?.artifacts.every((file) => file.found.state === "present" && file.found.level === "full")).toBe(true);
    expect(foundAt(byRef.get(second.ref), second.own)).toMatchObject({ state: "present", level: "presence" });
  });

  it("one flipped byte is found at level full", async () => {
    const { fixture, first, signal } = scene();
    await fixture.install(first);
    await flipByte(fixture.fileOf(first, first.own));
    await expectWrongHash(fixture.reader, first, signal);
  });

  it("zeroes of the same size are found at level full", async () => {
    const { fixture, first, signal } = scene();
    await fixture.install(first);
    await zero(fixture.fileOf(first, first.own), sizeOf(first, first.own));
    await expectWrongHash(fixture.reader, first, signal);
  });
}

export function tellingDamage(scene: () => Scene): void {
  it.each<VerificationLevel>(["presence", "stat", "full"])("a missing file at level %s", async (level) => {
    const { fixture, first, signal } = scene();
    await fixture.install(first);
    await rm(fixture.fileOf(first, first.own));
    const holding = await holdingOf(fixture.reader, first, level, signal);
    expect(foundAt(holding, first.own)).toEqual({ state: "missing" });
  });

  it("a file that is too short or too long as incomplete, with the size found", async () => {
    const { fixture, first, second, signal } = scene();
    await fixture.install(first);
    await fixture.install(second);
    await truncate(fixture.fileOf(first, first.own), 100);
    await appendFile(fixture.fileOf(second, second.own), "more");
    expect(foundAt(await holdingOf(fixture.reader, first, "full", signal), first.own)).toEqual({ state: "incomplete", size: 100 });
    expect(foundAt(await holdingOf(fixture.reader, second, "full", signal), second.own)).toEqual({
      state: "incomplete",
      size: sizeOf(second, second.own) + 4,
    });
  });
}
