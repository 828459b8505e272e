import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ProjectFiles, ProjectSource } from "../../src/ports/project-source.ts";

/** Files of a project by path. */
export type ProjectContent = Readonly<Record<string, string | Uint8Array>>;

const never = new AbortController().signal;
const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** What every ProjectSource must do, over the folders and files `manifests`, `policies`, `holdfast.lock.yaml`, `curated.json`. */
export function describeProjectSource(name: string, create: (content: ProjectContent) => Promise<ProjectSource>): void {
  const read = async (content: ProjectContent): Promise<ProjectFiles> => (await create({ "README.md": "x", ...content })).read(never);
  const codes = ({ problems }: ProjectFiles): readonly unknown[] => problems.map(({ severity, code, location }) => [severity, code, location]);

  describe(`ProjectSource: ${name}`, () => {
    it("reads every YAML file at any depth, sorted, and passes over what is hidden or no YAML", async () => {
      const files = await read({
        "manifests/b.yaml": "b",
        "manifests/a/z.yml": "z",
        "manifests/a/deep/x.yaml": "x",
        "manifests/a.yaml": "a",
        "manifests/.hidden.yaml": "no",
        "manifests/.git2/c.yaml": "no",
        "manifests/node_modules/p/c.yaml": "no",
        "manifests/notes.txt": "no",
        "manifests/json.json": "no",
        "policies/p.yaml": "p",
        "elsewhere/q.yaml": "no",
      });
      expect(files.manifests).toEqual([
        { path: "manifests/a.yaml", text: "a" },
        { path: "manifests/a/deep/x.yaml", text: "x" },
        { path: "manifests/a/z.yml", text: "z" },
        { path: "manifests/b.yaml", text: "b" },
      ]);
      expect(files.policies).toEqual([{ path: "policies/p.yaml", text: "p" }]);
      expect(files.problems).toEqual([]);
      expect([files.lock, files.curated]).toEqual([undefined, undefined]);
    });

    it("reads lock and curated registry, byte order marks and line endings as they are meant", async () => {
      const files = await read({ "holdfast.lock.yaml": "version: 1\r\n", "curated.json": "\uFEFF[]", "manifests/a.yaml": "ä 日本 \u{1F600}" });
      expect(files.lock).toEqual({ path: "holdfast.lock.yaml", text: "version: 1\r\n" });
      expect(files.curated).toEqual({ path: "curated.json", text: "[]" });
      expect(files.manifests).toEqual([{ path: "manifests/a.yaml", text: "ä 日本 \u{1F600}" }]);
    });

    it("is an empty project where there is nothing, and says that the folder of manifests is missing", async () => {
      const files = await read({ "policies/.keep": "" });
      expect(files).toMatchObject({ manifests: [], policies: [], revision: { digest: sha256("") } });
      const missing = { severity: "warning", code: "project.no-manifests", message: "the manifests folder manifests does not exist" };
      expect(files.problems).toEqual([expect.objectContaining({ ...missing, remedy: expect.stringContaining("holdfast init") })]);
      expect(files.revision.dirty).toBe(false);
    });

    it("says nothing of a folder of manifests that holds none yet, nor of policies that are not there", async () => {
      expect((await read({ "manifests/.keep": "" })).problems).toEqual([]);
    });

    it("identifies the input by paths and bytes of exactly the files that were read", async () => {
      const content = {
        "policies/p.yaml": "p",
        "manifests/b.yaml": "b",
        "manifests/a.yaml": "a",
        "holdfast.lock.yaml": "lock",
        "curated.json": "[]",
      };
      const { revision } = await read({ ...content, "elsewhere.yaml": "not read" });
      const lines = Object.entries(content).map(([path, text]) => `${path}\0${sha256(text)}\n`);
      expect(revision.digest).toBe(sha256(lines.toSorted().join("")));
    });

    it("SEC-25 reports a file above 1 MiB instead of reading it, and reads the rest", async () => {
      const limit = 1024 * 1024;
      const files = await read({
        "manifests/a.yaml": "#".repeat(limit + 1),
        "manifests/b.yaml": "#".repeat(limit),
        "holdfast.lock.yaml": "#".repeat(2 * limit),
      });
      expect(codes(files)).toEqual([["error", "file.too-large", { file: "manifests/a.yaml", line: 1, column: 1 }]]);
      expect(files.manifests.map(({ path }) => path)).toEqual(["manifests/b.yaml"]);
      expect(files.lock?.text).toHaveLength(2 * limit);
    });

    it("reports a file that is not UTF-8, manifest or lock", async () => {
      const files = await read({
        "manifests/a.yaml": new Uint8Array([0x61, 0xff]),
        "holdfast.lock.yaml": new Uint8Array([0xc3, 0x28]),
        "manifests/b.yaml": "b",
      });
      expect(codes(files)).toEqual([
        ["error", "file.not-utf8", { file: "holdfast.lock.yaml", line: 1, column: 1 }],
        ["error", "file.not-utf8", { file: "manifests/a.yaml", line: 1, column: 1 }],
      ]);
      expect([files.manifests, files.lock]).toEqual([[{ path: "manifests/b.yaml", text: "b" }], undefined]);
    });

    it("reads at most 2,000 files and says so", async () => {
      const many = Object.fromEntries(Array.from({ length: 2_001 }, (_, index) => [`manifests/${String(index).padStart(4, "0")}.yaml`, "x"]));
      const files = await read(many);
      expect(codes(files)).toEqual([["error", "project.too-many-files", { file: "manifests", line: 1, column: 1 }]]);
      expect([files.manifests.length, files.manifests.at(-1)?.path]).toEqual([2_000, "manifests/1999.yaml"]);
    });

    it("rejects with the signal's reason", async () => {
      const source = await create({ "manifests/a.yaml": "a" });
      const reason = new Error("enough");
      await expect(source.read(AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
