import { createHash } from "node:crypto";
import { appendFileSync, existsSync, renameSync } from "node:fs";
import { appendFile, link, mkdir, readdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createFileHasher, type ClosableFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { failed } from "../../../src/domain/failure.ts";
import type { HashCache } from "../../../src/ports/hash-cache.ts";
import { describeHashCache } from "../../contracts/hash-cache.ts";
import { ended, startProgram } from "../filesystem/child.ts";
import { useWorkspace } from "../filesystem/workspace.ts";
import { createMemoryHashCache } from "./memory-hash-cache.ts";

const mebibyte = 1024 * 1024;
const at = "2026-11-21T10:00:00.000Z";
const clock = { now: () => at };
const never = new AbortController().signal;
const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

describeHashCache("in memory", async () => createMemoryHashCache());

const openDescriptors = async (): Promise<number> => (existsSync("/proc/self/fd") ? (await readdir("/proc/self/fd")).length : 0);

describe("file hasher", () => {
  const workspace = useWorkspace();
  const hashers: ClosableFileHasher[] = [];
  afterEach(async () => {
    for (const hasher of hashers.splice(0)) await hasher.close();
  });
  const makeHasher = (cache: HashCache = createMemoryHashCache()): ClosableFileHasher => {
    const hasher = createFileHasher({ cache, workers: 2, clock });
    hashers.push(hasher);
    return hasher;
  };

  it("tells apart what is there, missing, incomplete and no file, at every level", async () => {
    const root = await workspace();
    const hasher = makeHasher();
    await writeFile(join(root, "file"), "1234");
    await symlink("file", join(root, "link"));
    await symlink("circle", join(root, "circle"));
    await mkdir(join(root, "folder"));
    const files = ["file", "link", "absent", "file/below", "circle", "folder"].map((name) => ({ path: join(root, name) }));
    const sized = [
      { path: join(root, "file"), size: 4 },
      { path: join(root, "file"), size: 5 },
    ];
    for (const level of ["presence", "stat", "full"] as const) {
      const known = level === "presence" ? { level } : { level, sha256: sha256(Buffer.from("1234")), verifiedAt: at };
      const there = { state: "present", ...known };
      // The first time, nothing is known yet.
      if (level === "stat") await hasher.inspect(files.slice(0, 1), "full", never);
      expect(await hasher.inspect([...files, ...sized], level, never), level).toEqual([
        there,
        there,
        { state: "missing" },
        { state: "missing" },
        { state: "unreadable", failure: expect.objectContaining({ code: "unexpected", message: expect.stringContaining("ELOOP") }) },
        { state: "unreadable", failure: expect.objectContaining({ code: "unsupported" }) },
        there,
        { state: "incomplete", size: 4 },
      ]);
    }
    expect(await hasher.inspect([], "full", never)).toEqual([]);
  });

  it.skipIf(!existsSync("/proc/self/mem"))("says why a file cannot be read", async () => {
    const [state] = await makeHasher().inspect([{ path: "/proc/self/mem" }], "full", never);
    expect(state).toEqual({ state: "unreadable", failure: expect.objectContaining({ message: expect.stringMatching(/proc.self.mem.*EIO/) }) });
  });

  it.each([
    ["in this thread", [0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte]],
    ["in worker threads", [0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte, 20 * mebibyte + 7, 100 * mebibyte]],
  ])("hashes files of any size %s, in the order of the input, and counts every byte", async (_, sizes) => {
    const root = await workspace();
    const contents = sizes.map((size, index) => Buffer.alloc(size, `content ${index} `));
    for (const [index, content] of contents.entries()) await writeFile(join(root, String(index)), content);
    let bytes = 0;
    const files = contents.map((content, index) => ({ path: join(root, String(index)), size: content.length }));
    const states = await makeHasher().inspect(files, "full", never, (more) => (bytes += more));
    expect(states).toEqual(contents.map((content) => ({ state: "present", level: "full", sha256: sha256(content), verifiedAt: at })));
    expect(bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it("hashes thousands of small files with workers", async () => {
    const root = await workspace();
    const files = Array.from({ length: 3_500 }, (_, index) => ({ path: join(root, String(index)) }));
    for (const [index, { path }] of files.entries()) await writeFile(path, `file ${index}`);
    const states = await makeHasher().inspect(files, "full", never);
    expect(states).toEqual(files.map((_, index) => expect.objectContaining({ sha256: sha256(Buffer.from(`file ${index}`)) })));
  });

  it("reads a file that several paths lead to once", async () => {
    const root = await workspace();
    await writeFile(join(root, "blob"), "shared");
    await link(join(root, "blob"), join(root, "hard"));
    await symlink("blob", join(root, "soft"));
    let bytes = 0;
    const states = await makeHasher().inspect(
      ["blob", "hard", "soft"].map((name) => ({ path: join(root, name) })),
      "full",
      never,
      (more) => (bytes += more),
    );
    expect(states).toEqual(Array(3).fill({ state: "present", level: "full", sha256: sha256(Buffer.from("shared")), verifiedAt: at }));
    expect(bytes).toBe("shared".length);
  });

  it("hashes a file that changed under it once more", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, "before");
    let changed = false;
    const [state] = await makeHasher().inspect([{ path }], "full", never, () => {
      if (!changed) appendFileSync(path, " and after");
      changed = true;
    });
    expect(state).toMatchObject({ state: "present", sha256: sha256(Buffer.from("before and after")) });
  });

  it("does not vouch for a file that keeps changing, and names the next step", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, "x");
    const [state] = await makeHasher().inspect([{ path }], "full", never, () => appendFileSync(path, "x"));
    expect(state).toEqual({
      state: "unreadable",
      failure: expect.objectContaining({ code: "conflict", retry: "transient", remedy: expect.any(String) }),
    });
  });

  it("hashes what has the name in the end when the file is replaced meanwhile", async () => {
    const root = await workspace();
    const path = join(root, "file");
    await writeFile(path, "old");
    await writeFile(join(root, "next"), "new");
    const [state] = await makeHasher().inspect([{ path }], "full", never, () => {
      if (existsSync(join(root, "next"))) renameSync(join(root, "next"), path);
    });
    expect(state).toMatchObject({ state: "present", sha256: sha256(Buffer.from("new")) });
  });

  it("remembers hashes, recalls them while the file is unchanged, and reads every byte at level full all the same", async () => {
    const path = join(await workspace(), "file");
    const hasher = makeHasher();
    await writeFile(path, "bytes");
    expect(await hasher.inspect([{ path }], "stat", never)).toEqual([{ state: "present", level: "presence" }]);
    await hasher.inspect([{ path }], "full", never);
    let bytes = 0;
    expect(await hasher.inspect([{ path }], "stat", never, (more) => (bytes += more))).toEqual([
      { state: "present", level: "stat", sha256: sha256(Buffer.from("bytes")), verifiedAt: at },
    ]);
    expect(bytes).toBe(0);
    await hasher.inspect([{ path }], "full", never, (more) => (bytes += more));
    expect(bytes).toBe(5);
    await appendFile(path, "!");
    expect(await hasher.inspect([{ path }], "stat", never)).toEqual([{ state: "present", level: "presence" }]);
  });

  it("gives its verdict also when the cache cannot be written", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, "bytes");
    const cache: HashCache = {
      lookup: (files) => files.map(() => undefined),
      remember: () => {
        throw failed("disk-full", "no space");
      },
    };
    expect(await makeHasher(cache).inspect([{ path }], "full", never)).toMatchObject([{ level: "full" }]);
  });

  it("stops with the signal's reason in the middle of a file, and can be used again", async () => {
    const root = await workspace();
    const [huge, small] = [join(root, "huge"), join(root, "small")];
    await writeFile(huge, "");
    // Minutes of zeros that take no room on the disk: the test ends in time only if hashing really stops.
    await truncate(huge, 500 * 1024 * mebibyte);
    await writeFile(small, Buffer.alloc(100 * mebibyte));
    const hasher = makeHasher();
    const controller = new AbortController();
    const reason = new Error("enough");
    const stopped = hasher.inspect([{ path: huge }, { path: huge }], "full", controller.signal, () => controller.abort(reason));
    await expect(stopped).rejects.toBe(reason);
    await expect(hasher.inspect([{ path: small }], "full", AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await hasher.inspect([{ path: small }], "full", never)).toMatchObject([{ level: "full" }]);
    await hasher.close();
    expect(await hasher.inspect([{ path: small }], "full", never)).toMatchObject([{ level: "full" }]);
  });

  it("stops in the middle of a file that it hashes in this thread", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, Buffer.alloc(10 * mebibyte));
    const controller = new AbortController();
    let bytes = 0;
    const stop = (more: number): void => {
      bytes += more;
      controller.abort(new Error("enough"));
    };
    const descriptors = await openDescriptors();
    await expect(makeHasher().inspect([{ path }], "full", controller.signal, stop)).rejects.toThrow("enough");
    expect(bytes).toBe(mebibyte);
    expect(await openDescriptors()).toBe(descriptors);
  });

  it("stops between small files, too", async () => {
    const root = await workspace();
    const files = ["a", "b", "c"].map((name) => ({ path: join(root, name) }));
    for (const { path } of files) await writeFile(path, "x");
    const controller = new AbortController();
    const reason = new Error("enough");
    let bytes = 0;
    const stop = (more: number): void => {
      bytes += more;
      controller.abort(reason);
    };
    await expect(makeHasher().inspect(files, "full", controller.signal, stop)).rejects.toBe(reason);
    expect(bytes).toBe(1);
  });

  it("serves several callers at once", async () => {
    const root = await workspace();
    const hasher = makeHasher();
    const paths = Array.from({ length: 4 }, (_, index) => join(root, String(index)));
    for (const [index, path] of paths.entries()) await writeFile(path, Buffer.alloc(100 * mebibyte, index));
    const controller = new AbortController();
    const results = await Promise.allSettled(
      paths.map((path, index) =>
        hasher.inspect([{ path }], "full", index === 2 ? controller.signal : never, () => controller.abort(new Error("only this one"))),
      ),
    );
    expect(results.map(({ status }, index) => (index === 2 ? "fulfilled" : status))).toEqual(Array(4).fill("fulfilled"));
    for (const [index, result] of results.entries()) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ message: "only this one" });
      else expect(result.value).toMatchObject([{ sha256: sha256(Buffer.alloc(100 * mebibyte, index)) }]);
    }
  });

  it("lets the event loop live while it looks at many files", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, "x");
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 1);
    await makeHasher().inspect(Array(50_000).fill({ path }), "stat", never);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(1);
  });

  it("lets the process end by itself, without being closed", async () => {
    const path = join(await workspace(), "file");
    await writeFile(path, Buffer.alloc(100 * mebibyte));
    const { code, stdout, stderr } = await ended(startProgram(new URL("./program.ts", import.meta.url), [path]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject([{ level: "full", sha256: sha256(Buffer.alloc(100 * mebibyte)) }]);
  });
});
