import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { context, failureOf, flipByte, hashes, hashesIn, holdingOf, listed, listedIn, refsOf, repairOf } from "./model-store-checks.ts";
import { writable, type Scene } from "./model-store-fixture.ts";

export function pulling(scene: () => Scene): void {
  it("what is absent, verified, and again without transferring anything", async () => {
    const { fixture, first, signal } = scene();
    const { writer, upstream } = writable(scene());
    const holding = await writer.pull(first.pull, context(signal));
    expect(listed(holding)).toEqual(listedIn(first));
    expect(await refsOf(fixture.reader, signal)).toEqual([first.ref]);
    expect(upstream.sent()).toContain(first.own);
    const again = await writer.pull(first.pull, context(signal));
    expect(again.contentId).toBe(holding.contentId);
    expect(upstream.sent()).toEqual([]);
  });

  it("wrong bytes of the right size are an integrity failure and stay nowhere; the next pull succeeds (F09, SEC-06)", async () => {
    const { fixture, first, signal } = scene();
    const { writer, upstream } = writable(scene());
    upstream.serveWrongBytes(first);
    expect(await failureOf(writer.pull(first.pull, context(signal)))).toBe("integrity");
    const left = await fixture.reader.inspect(first.ref, "full", signal);
    if (left && "artifacts" in left) expect(hashes(left)[first.own]).not.toBeTypeOf("string");
    upstream.mend();
    expect(listed(await writer.pull(first.pull, context(signal)))).toEqual(listedIn(first));
  });

  it("aborted in the middle: the transfer ends, nothing half is listed, the next pull succeeds", async () => {
    const { fixture, first, signal } = scene();
    const { writer, upstream } = writable(scene());
    const abort = new AbortController();
    upstream.hang(first);
    const pull = failureOf(writer.pull(first.pull, context(abort.signal)));
    await upstream.hanging();
    abort.abort();
    expect(await pull).toBe("cancelled");
    await upstream.idle();
    expect(await refsOf(fixture.reader, signal)).toEqual([]);
    upstream.mend();
    expect(listed(await writer.pull(first.pull, context(signal)))).toEqual(listedIn(first));
  });
}

export function repairing(scene: () => Scene): void {
  it("only the bad file; the good ones are not transferred again", async () => {
    const { fixture, first, signal } = scene();
    const { writer, upstream } = writable(scene());
    await fixture.install(first);
    await flipByte(fixture.fileOf(first, first.own));
    const holding = await writer.repair(repairOf(first, [first.own]), context(signal));
    expect(hashes(holding)).toEqual(hashesIn(first));
    expect(upstream.sent()).toEqual([first.own]);
  });

  it("a missing file", async () => {
    const { fixture, first, signal } = scene();
    const { writer, upstream } = writable(scene());
    await fixture.install(first);
    await rm(fixture.fileOf(first, first.own));
    const holding = await writer.repair(repairOf(first, [first.own]), context(signal));
    expect(hashes(holding)).toEqual(hashesIn(first));
    expect(upstream.sent()).toEqual([first.own]);
  });
}

export function removing(scene: () => Scene): void {
  it("a model, freeing only bytes that no other model uses; absent is success", async () => {
    const { fixture, first, second, signal } = scene();
    const { writer } = writable(scene());
    await fixture.install(first);
    await fixture.install(second);
    const unshared = first.files.filter((file) => !second.files.some((other) => other.sha256 === file.sha256));
    const removed = await writer.remove({ ref: first.ref, quarantine: false }, context(signal));
    expect(removed.freedBytes).toBe(unshared.reduce((sum, file) => sum + file.size, 0));
    expect(await refsOf(fixture.reader, signal)).toEqual([second.ref]);
    const kept = await holdingOf(fixture.reader, second, "full", signal);
    expect(kept.artifacts.every((artifact) => artifact.found.state === "present")).toBe(true);
    expect(await writer.remove({ ref: first.ref, quarantine: false }, context(signal))).toEqual({ freedBytes: 0 });
  });

  it("nothing when the content is not the one that was meant", async () => {
    const { fixture, first, signal } = scene();
    const { writer } = writable(scene());
    await fixture.install(first);
    const holding = await holdingOf(fixture.reader, first, "presence", signal);
    const other = { ref: first.ref, contentId: "0".repeat(holding.contentId?.length ?? 64), quarantine: false };
    expect(await failureOf(writer.remove(other, context(signal)))).toBe("precondition");
    expect(await refsOf(fixture.reader, signal)).toEqual([first.ref]);
  });
}

export function tagging(scene: () => Scene, secondName: (ref: string) => string): void {
  it("content under a second name, with the same content id, also when repeated", async () => {
    const { fixture, first, signal } = scene();
    const { writer } = writable(scene());
    await fixture.install(first);
    const source = await holdingOf(fixture.reader, first, "presence", signal);
    const request = { from: first.ref, to: secondName(first.ref), digest: source.contentId ?? "" };
    const copy = await writer.tag(request, context(signal));
    expect(copy).toMatchObject({ ref: request.to, contentId: source.contentId });
    expect(await writer.tag(request, context(signal))).toMatchObject({ ref: request.to, contentId: source.contentId });
    expect(await refsOf(fixture.reader, signal)).toEqual([request.from, request.to].toSorted());
    await writer.remove({ ref: request.to, quarantine: false }, context(signal));
    expect(listed(await holdingOf(fixture.reader, first, "presence", signal))).toEqual(listedIn(first));
  });

  it("nothing that is not there", async () => {
    const { first, signal } = scene();
    const { writer } = writable(scene());
    const request = { from: first.ref, to: secondName(first.ref), digest: "0".repeat(64) };
    expect(await failureOf(writer.tag(request, context(signal)))).toBe("not-found");
  });
}
