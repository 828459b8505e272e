import { execFileSync } from "node:child_process";
import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ProjectFiles } from "../../../src/ports/project-source.ts";
import { describeProjectSource } from "../../contracts/project-source.ts";
import { useWorkspace } from "../filesystem/workspace.ts";
import { commitAll, fill, git, sourceOf } from "./project.ts";

const never = new AbortController().signal;
const paths = ({ manifests }: ProjectFiles): readonly string[] => manifests.map(({ path }) => path);
const findings = ({ problems }: ProjectFiles): readonly unknown[] => problems.map(({ code, location }) => [code, location?.file]);

describe("project source", () => {
  const workspace = useWorkspace();

  describeProjectSource("work tree without Git", async (content) => {
    const root = await workspace();
    await fill(root, content);
    return sourceOf(root);
  });

  describeProjectSource("work tree in a repository", async (content) => {
    const root = await workspace();
    git(root, "init", "--quiet");
    await fill(root, content);
    commitAll(root, "all");
    return sourceOf(root);
  });

  describeProjectSource("commit", async (content) => {
    const root = await workspace();
    git(root, "init", "--quiet");
    await fill(root, content);
    commitAll(root, "all");
    git(root, "rm", "-r", "--quiet", "--force", ".");
    return sourceOf(root, { revision: "HEAD" });
  });

  it("takes absolute paths and folders within folders apart", async () => {
    const root = await workspace();
    await fill(root, { "conf/a.yaml": "a", "conf/policies/p.yaml": "p", "conf/holdfast.lock.yaml": "l" });
    const options = {
      manifestsDir: join(root, "conf"),
      policiesDir: join(root, "conf", "policies"),
      lockFile: join(root, "conf", "holdfast.lock.yaml"),
    };
    const files = await sourceOf(root, options).read(never);
    expect([paths(files), files.policies.map(({ path }) => path), files.lock?.path]).toEqual([
      ["conf/a.yaml"],
      ["conf/policies/p.yaml"],
      "conf/holdfast.lock.yaml",
    ]);
    const whole = await sourceOf(root, { ...options, manifestsDir: "." }).read(never);
    expect([paths(whole), whole.problems]).toEqual([["conf/a.yaml"], []]);
  });

  it("reads a generated file that was configured to lie elsewhere", async () => {
    const [root, elsewhere] = [await workspace(), await workspace()];
    await fill(elsewhere, { "curated.json": "[]" });
    await mkdir(join(root, "manifests"));
    const files = await sourceOf(root, { curatedFile: join(elsewhere, "curated.json") }).read(never);
    expect([files.curated?.text, files.problems]).toEqual(["[]", []]);
  });

  it("lets only the foreign part of a curated registry move the revision", async () => {
    const root = await workspace();
    git(root, "init", "--quiet");
    await fill(root, { "manifests/a.yaml": "a" });
    commitAll(root, "all");
    const curatedInput = (text: string): string | undefined => text.match(/foreign:\w+/)?.[0];
    const look = async (curated: string) => {
      await fill(root, { "curated.json": curated });
      const { curated: found, revision } = await sourceOf(root, { curatedInput }).read(never);
      return { text: found?.text, ...revision };
    };
    const before = await sourceOf(root).read(never);
    expect(await look("ours:1")).toEqual({ text: undefined, ...before.revision });
    const first = await look("foreign:x ours:1");
    expect(first).toMatchObject({ text: "foreign:x ours:1", dirty: false });
    expect(first.digest).not.toBe(before.revision.digest);
    expect((await look("foreign:x ours:2")).digest).toBe(first.digest);
    expect((await look("foreign:y ours:2")).digest).not.toBe(first.digest);
  });

  it("says that a project folder does not exist", async () => {
    const root = await workspace();
    await expect(sourceOf(join(root, "absent")).read(never)).rejects.toMatchObject({
      failure: { code: "not-found", message: expect.stringContaining("absent") },
    });
  });

  it("follows links inside the project, once, and finds an end", async () => {
    const root = await workspace();
    await fill(root, { "manifests/a.yaml": "a", "shared/s.yaml": "s", "shared/deep/d.yaml": "d" });
    await symlink("../shared/s.yaml", join(root, "manifests", "link.yaml"));
    await symlink("../shared", join(root, "manifests", "shared"));
    await symlink(".", join(root, "manifests", "circle"));
    await symlink("self.yaml", join(root, "manifests", "self.yaml"));
    const files = await sourceOf(root).read(never);
    expect(paths(files)).toEqual(["manifests/a.yaml", "manifests/link.yaml", "manifests/shared/deep/d.yaml", "manifests/shared/s.yaml"]);
    expect(findings(files)).toEqual([["file.unreadable", "manifests/self.yaml"]]);
  });

  it("SEC-19 follows no link out of the project, be it a file, a folder, the manifests or the lock", async () => {
    const [root, canary] = [await workspace(), await workspace()];
    await fill(canary, { "secret.yaml": "secret", "manifests/secret.yaml": "secret" });
    await mkdir(join(root, "manifests"));
    await symlink(join(canary, "secret.yaml"), join(root, "manifests", "file.yaml"));
    await symlink(canary, join(root, "manifests", "folder"));
    await symlink("../../does not exist.yaml", join(root, "manifests", "dangling.yaml"));
    await symlink(join(canary, "manifests"), join(root, "policies"));
    await symlink(join(canary, "secret.yaml"), join(root, "holdfast.lock.yaml"));
    const files = await sourceOf(root).read(never);
    expect(JSON.stringify([files.manifests, files.policies, files.lock ?? ""])).not.toContain("secret");
    expect(findings(files)).toEqual([
      ["file.outside-project", "holdfast.lock.yaml"],
      ["file.unreadable", "manifests/dangling.yaml"],
      ["file.outside-project", "manifests/file.yaml"],
      ["file.outside-project", "manifests/folder"],
      ["file.outside-project", "policies"],
    ]);
  });

  it("reads neither pipes nor 5 GiB, and does not wait for them", async () => {
    const root = await workspace();
    await fill(root, { "manifests/huge.yaml": "", "manifests/folder.yaml/inside.yaml": "i" });
    await truncate(join(root, "manifests", "huge.yaml"), 5 * 1024 ** 3);
    execFileSync("mkfifo", [join(root, "manifests", "pipe.yaml")]);
    const files = await sourceOf(root).read(never);
    expect(findings(files)).toEqual([
      ["file.too-large", "manifests/huge.yaml"],
      ["file.not-regular", "manifests/pipe.yaml"],
    ]);
    expect(paths(files)).toEqual(["manifests/folder.yaml/inside.yaml"]);
  });

  it("says that a folder of manifests is none", async () => {
    const root = await workspace();
    await writeFile(join(root, "manifests"), "a file");
    expect(findings(await sourceOf(root).read(never))).toEqual([["file.unreadable", "manifests"]]);
    await rm(join(root, "manifests"));
    expect(findings(await sourceOf(root).read(never))).toEqual([["project.no-manifests", "manifests"]]);
    expect(findings(await sourceOf(root, { manifestsDir: "." }).read(never))).toEqual([]);
  });
});
