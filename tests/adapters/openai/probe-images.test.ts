import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imageTypeOf } from "../../../src/adapters/openai/image-type.ts";
import { createProbeImages } from "../../../src/adapters/openai/probe-images.ts";

const signal = new AbortController().signal;
const png = Buffer.from("\x89PNG\r\n\x1a\n0000", "latin1");
let root: string;
let allowed: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "holdfast-images-"));
  allowed = join(root, "allowed");
  await mkdir(allowed);
  await writeFile(join(allowed, "in.jpg"), png);
  await writeFile(join(root, "out.png"), png);
  await writeFile(join(allowed, "note.png"), "no picture at all");
  await symlink(join(root, "out.png"), join(allowed, "link.png"));
  execFileSync("mkfifo", [join(allowed, "pipe.png")]);
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("pictures for a probe", () => {
  it.each([
    ["image/png", "\x89PNG\r\n\x1a\n"],
    ["image/jpeg", "\xff\xd8\xff\xe0"],
    ["image/gif", "GIF89a"],
    ["image/webp", "RIFF\x00\x00\x00\x00WEBPVP8 "],
    ["image/bmp", "BM"],
    ["image/tiff", "II*\x00"],
    ["image/avif", "\x00\x00\x00\x20ftypavif"],
    [undefined, "AAAA\x00\x00\x00\x00WEBP"],
    [undefined, "%PDF-1.7"],
    [undefined, ""],
  ])("S1.40 knows %s by the first bytes", (type, head) => {
    expect(imageTypeOf(Buffer.from(head, "latin1"))).toBe(type);
  });

  it("goes by the bytes and not by the name", async () => {
    expect(await createProbeImages().read(join(allowed, "in.jpg"), signal)).toMatchObject({ mediaType: "image/png" });
    await expect(createProbeImages().read(join(allowed, "note.png"), signal)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
  });

  it("refuses what is absent, too large, or no regular file, without waiting for a pipe", async () => {
    const images = createProbeImages({ mostBytes: 8 });
    await expect(images.read(join(allowed, "nothing.png"), signal)).rejects.toMatchObject({ failure: { code: "not-found" } });
    await expect(images.read(join(allowed, "in.jpg"), signal)).rejects.toMatchObject({
      failure: { code: "invalid-input", message: expect.stringContaining("12 bytes") },
    });
    await expect(images.read(join(allowed, "pipe.png"), signal)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
    await expect(images.read(allowed, signal)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
  });

  it("S1.52 reads below an allowed folder only, links and dots included", async () => {
    const images = createProbeImages({ root: allowed });
    expect(await images.read("in.jpg", signal)).toMatchObject({ path: "in.jpg", mediaType: "image/png" });
    for (const path of ["link.png", "../out.png", join(root, "out.png"), "."])
      await expect(images.read(path, signal), path).rejects.toMatchObject({ failure: { code: "unsafe-path" } });
  });
});
