import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { ProjectFiles } from "../../../src/ports/project-source.ts";
import { useWorkspace } from "../filesystem/workspace.ts";
import { commitAll, fill, git, sourceOf } from "./project.ts";

const never = new AbortController().signal;
const content = { "manifests/a.yaml": "a\n", "policies/p.yaml": "p\n", "holdfast.lock.yaml": "lock\n", "other/x.yaml": "x\n" };

describe("revision of a work tree", () => {
  const workspace = useWorkspace();
  const committed = async (format = "sha1"): Promise<{ root: string; commit: string }> => {
    const root = await workspace();
    git(root, "init", "--quiet", `--object-format=${format}`);
    await fill(root, content);
    return { root, commit: commitAll(root, "first") };
  };
  const revisionOf = async (root: string): Promise<ProjectFiles["revision"]> => (await sourceOf(root).read(never)).revision;

  it("has no commit outside a repository and before the first commit", async () => {
    const root = await workspace();
    await fill(root, content);
    expect(await revisionOf(root)).toEqual({ dirty: false, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    git(root, "init", "--quiet");
    const files = await sourceOf(root).read(never);
    expect([files.revision.commit, files.problems]).toEqual([undefined, []]);
  });

  it.each(["sha1", "sha256"])("is clean at a commit of a %s repository, whatever happens to files that are not read", async (format) => {
    const { root, commit } = await committed(format);
    await fill(root, { "other/x.yaml": "changed", "manifests/notes.txt": "new", "manifests/.hidden.yaml": "new" });
    expect(await revisionOf(root)).toMatchObject({ commit, dirty: false });
  });

  it.each<readonly [string, (root: string) => Promise<void>]>([
    ["a changed manifest", (root) => writeFile(join(root, "manifests/a.yaml"), "b\n")],
    [
      "a changed manifest that is staged",
      async (root) => {
        await writeFile(join(root, "manifests/a.yaml"), "b\n");
        git(root, "add", "--all");
      },
    ],
    ["an untracked manifest", (root) => writeFile(join(root, "manifests/new.yaml"), "n")],
    ["a deleted manifest", (root) => rm(join(root, "manifests/a.yaml"))],
    ["deleted manifests", (root) => rm(join(root, "manifests"), { recursive: true })],
    ["a changed policy", (root) => writeFile(join(root, "policies/p.yaml"), "q")],
    ["a changed lock", (root) => writeFile(join(root, "holdfast.lock.yaml"), "other")],
    ["a deleted lock", (root) => rm(join(root, "holdfast.lock.yaml"))],
  ])("is dirty with %s", async (_, change) => {
    const { root, commit } = await committed();
    await change(root);
    expect(await revisionOf(root)).toMatchObject({ commit, dirty: true });
  });

  it("is clean with the line endings of Windows, with links to committed files, and in a folder of a larger repository", async () => {
    const { root } = await committed();
    await mkdir(join(root, "project"));
    await fill(root, { "project/manifests/m.yaml": "one\ntwo\n", "project/shared/s.yaml": "s" });
    await symlink("../shared/s.yaml", join(root, "project/manifests/link.yaml"));
    const commit = commitAll(root, "second");
    await fill(root, { "project/manifests/m.yaml": "one\r\ntwo\r\n" });
    expect(await revisionOf(join(root, "project"))).toMatchObject({ commit, dirty: false });
    await fill(root, { "project/shared/s.yaml": "changed" });
    expect(await revisionOf(join(root, "project"))).toMatchObject({ commit, dirty: true });
  });

  it("F15 goes on with a warning when the repository is broken", async () => {
    const { root } = await committed();
    await rm(join(root, ".git", "objects"), { recursive: true });
    const files = await sourceOf(root).read(never);
    expect(files.manifests).toHaveLength(1);
    expect(files.revision.commit).toBeUndefined();
    expect(files.problems).toEqual([expect.objectContaining({ severity: "warning", code: "git.unreadable" })]);
  });
});

describe("reading another revision", () => {
  const workspace = useWorkspace();
  const twoCommits = async (): Promise<{ root: string; first: string }> => {
    const root = await workspace();
    git(root, "init", "--quiet");
    await fill(root, content);
    const first = commitAll(root, "first");
    git(root, "tag", "v1");
    await fill(root, { "manifests/a.yaml": "second\n", "manifests/b.yaml": "b\n" });
    commitAll(root, "second");
    return { root, first };
  };

  it.each(["HEAD~1", "v1"])("reads the commit that %s means, without touching the work tree", async (revision) => {
    const { root, first } = await twoCommits();
    await fill(root, { "manifests/a.yaml": "uncommitted\n" });
    const before = [await readdir(join(root, ".git")), await readFile(join(root, ".git", "index"))];
    const files = await sourceOf(root, { revision }).read(never);
    expect(files.revision).toMatchObject({ commit: first, dirty: false });
    expect(files.manifests).toEqual([{ path: "manifests/a.yaml", text: "a\n" }]);
    expect([files.policies, files.lock]).toEqual([[{ path: "policies/p.yaml", text: "p\n" }], { path: "holdfast.lock.yaml", text: "lock\n" }]);
    expect([await readdir(join(root, ".git")), await readFile(join(root, ".git", "index"))]).toEqual(before);
    expect(await readFile(join(root, "manifests/a.yaml"), "utf8")).toBe("uncommitted\n");
  });

  it("gives the same digest as the clean work tree of that commit", async () => {
    const { root, first } = await twoCommits();
    const { revision } = await sourceOf(root, { revision: first }).read(never);
    git(root, "checkout", "--quiet", first);
    expect(await sourceOf(root).read(never)).toMatchObject({ revision });
  });

  it.each(["absent", "v1^{tree}", "--output=canary", "-h", "", "HEAD:manifests", "HEAD; touch canary", "../HEAD"])(
    "SEC-17 refuses %j as a revision",
    async (revision) => {
      const { root } = await twoCommits();
      const before = await readdir(root);
      await expect(sourceOf(root, { revision }).read(never)).rejects.toMatchObject({
        failure: { code: expect.stringMatching(/not-found|unexpected/) },
      });
      expect(await readdir(root)).toEqual(before);
    },
  );

  it("reports what is no file in that commit: links and submodules", async () => {
    const { root } = await twoCommits();
    await symlink("a.yaml", join(root, "manifests/link.yaml"));
    git(root, "add", "--all");
    git(root, "update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},manifests/module.yaml`);
    git(root, "commit", "--quiet", "--message", "third");
    const files = await sourceOf(root, { revision: "HEAD" }).read(never);
    expect(files.problems.map(({ code, location }) => [code, location?.file])).toEqual([
      ["file.not-regular", "manifests/link.yaml"],
      ["file.not-regular", "manifests/module.yaml"],
    ]);
    expect(files.manifests.map(({ path }) => path)).toEqual(["manifests/a.yaml", "manifests/b.yaml"]);
  });
});

describe("git as a stranger", () => {
  const workspace = useWorkspace();
  const saved = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
    Object.assign(process.env, saved);
  });

  it("SEC-19 runs nothing that a repository configures", async () => {
    const root = await workspace();
    git(root, "init", "--quiet");
    await fill(root, {
      ...content,
      ".gitattributes": "*.yaml filter=evil diff=evil\n",
      ".gitmodules": `[submodule "m"]\n\tpath = m\n\turl = ext::sh -c touch%20canary\n`,
    });
    commitAll(root, "first");
    const canary = join(root, "canary");
    const script = join(root, "evil.sh");
    await writeFile(script, `#!/bin/sh\ntouch "${canary}"\ncat\n`);
    await chmod(script, 0o755);
    const settings = [
      "core.fsmonitor",
      "filter.evil.clean",
      "filter.evil.smudge",
      "filter.evil.process",
      "diff.evil.textconv",
      "core.pager",
      "core.sshCommand",
      "core.editor",
      "alias.ls-tree",
      "remote.origin.uploadpack",
    ];
    for (const setting of settings) git(root, "config", setting, script);
    git(root, "config", "remote.origin.url", `ext::${script}`);
    git(root, "config", "remote.origin.promisor", "true");
    git(root, "config", "protocol.ext.allow", "always");
    for (const hook of ["post-index-change", "post-checkout", "reference-transaction", "fsmonitor-watchman"]) {
      await symlink(script, join(root, ".git", "hooks", hook));
    }
    await fill(root, { "manifests/a.yaml": "changed, so that git would have to filter it\n" });
    expect((await sourceOf(root).read(never)).revision.dirty).toBe(true);
    await sourceOf(root, { revision: "HEAD" }).read(never);
    // A promised object that is missing would be fetched.
    const blob = git(root, "rev-parse", "HEAD:manifests/a.yaml");
    await rm(join(root, ".git", "objects", blob.slice(0, 2), blob.slice(2)));
    await sourceOf(root, { revision: "HEAD" })
      .read(never)
      .catch(() => {});
    expect(await readdir(root)).not.toContain("canary");
  });

  it("SEC-18 SEC-17 gives git an environment of its own and the arguments as they are", async () => {
    const root = await workspace();
    await fill(root, {
      ...content,
      ".git/HEAD": "x",
      "bin/git": `#!/bin/sh\nenv | sort >> "${root}/env"\nprintf '%s\\n' "$@" >> "${root}/args"\nexit 1\n`,
    });
    await chmod(join(root, "bin/git"), 0o755);
    Object.assign(process.env, {
      PATH: `${join(root, "bin")}:${process.env["PATH"]}`,
      GIT_DIR: "/nowhere",
      GIT_SSH_COMMAND: "evil",
      HF_TOKEN: "hf_secret",
      NODE_OPTIONS: "",
    });
    const revision = "; $(touch canary) `x` ' \" --flag";
    await expect(sourceOf(root, { revision }).read(never)).rejects.toMatchObject({ failure: { code: "not-found" } });
    const environment = await readFile(join(root, "env"), "utf8");
    expect(environment).not.toMatch(/hf_secret|GIT_DIR|GIT_SSH|NODE_OPTIONS/);
    expect(environment).toContain("GIT_ALLOW_PROTOCOL=none");
    const args = (await readFile(join(root, "args"), "utf8")).split("\n");
    expect(args).toContain(`${revision}^{commit}`);
    expect(args).toEqual(
      expect.arrayContaining(["--no-optional-locks", "core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.ext.allow=never"]),
    );
  });

  it("is stopped by the signal and by its own time limit", async () => {
    const root = await workspace();
    await fill(root, { ...content, ".git/HEAD": "x", "bin/git": "#!/bin/sh\nexec sleep 3600\n" });
    await chmod(join(root, "bin/git"), 0o755);
    process.env["PATH"] = `${join(root, "bin")}:${process.env["PATH"]}`;
    const reason = new Error("enough");
    const controller = new AbortController();
    const reading = sourceOf(root).read(controller.signal);
    setTimeout(() => controller.abort(reason), 50);
    await expect(reading).rejects.toBe(reason);
    const files = await sourceOf(root).read(never);
    expect(files.problems).toEqual([expect.objectContaining({ severity: "warning", message: expect.stringContaining("no answer within 5 s") })]);
    expect(files.manifests).toHaveLength(1);
  });

  it("may be missing", async () => {
    const root = await workspace();
    await fill(root, { ...content, ".git/HEAD": "x" });
    process.env["PATH"] = join(root, "empty");
    const files = await sourceOf(root).read(never);
    expect(files.problems).toEqual([expect.objectContaining({ severity: "warning", message: expect.stringContaining("not installed") })]);
    await expect(sourceOf(root, { revision: "HEAD" }).read(never)).rejects.toMatchObject({ failure: { code: "unsupported" } });
  });
});
