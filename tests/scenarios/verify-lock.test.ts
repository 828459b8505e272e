import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createProject, modelManifest, type Project } from "./harness.ts";

/** The files behind the published hash vectors of ImageWorks. */
const files = { ".hid/x": "h", "B.txt": "B", "config.json": "{}", "sub/model.safetensors": "weights", "tokenizer.json": "tok" };
const aggregate = "96f239041b15a0d05254d150e7338dfa927ea02c359008b94c21275a603beece";

interface VersionLock {
  readonly locked: boolean;
  readonly expected_aggregate_sha256: string | null;
  readonly last_verified: string | null;
}

async function machine(): Promise<{ readonly project: Project; readonly weights: string }> {
  const project = await createProject();
  const dir = join(project.home, "weights", "m");
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  await project.write("manifests/m.yaml", modelManifest("m", { path: { dir } }));
  await project.expect(0, "reconcile");
  return { project, weights: join(dir, "sub", "model.safetensors") };
}

async function lockOf(project: Project): Promise<VersionLock | undefined> {
  const entries: readonly { readonly name: string; readonly version_lock: VersionLock }[] = JSON.parse(
    await project.read("configs/model_registry.json"),
  );
  return entries.find((entry) => entry.name === "m")?.version_lock;
}

describe("verifying and locking at the command line", () => {
  it("S1.8 S1.33 S1.10 S1.35 S1.51 S1.69 verify NAME hashes every file, answers with the registry's aggregate and writes down the time", async () => {
    const { project } = await machine();
    expect(await lockOf(project)).toEqual({ locked: false, expected_aggregate_sha256: null, last_verified: null });
    const answer = await project.expect(0, "verify", "m", "-o", "json");
    expect(JSON.parse(answer.stdout)).toMatchObject({ models: [{ name: "m", state: "unlocked", files: 5, aggregateSha256: aggregate }] });
    const { last_verified } = (await lockOf(project)) ?? {};
    expect(Date.parse(last_verified ?? "")).toBeGreaterThan(Date.now() - 600_000);
    const registry = await project.read("configs/model_registry.json");
    expect((await project.expect(0, "reconcile")).stdout).toContain("no changes");
    expect(JSON.parse(await project.read("configs/model_registry.json"))).toMatchObject([{ version_lock: { last_verified } }]);
    expect(registry).toContain(last_verified ?? "no time");
  });

  it("S1.37 S1.39 S1.70 lock and unlock are seen in registry and list at once", async () => {
    const { project } = await machine();
    await project.expect(0, "lock", "m", "--set-expected");
    expect(await lockOf(project)).toMatchObject({ locked: true, expected_aggregate_sha256: aggregate });
    expect(JSON.parse((await project.expect(0, "list", "-o", "json")).stdout)).toMatchObject([{ name: "m", locked: true }]);
    await project.expect(0, "unlock", "m");
    expect(await lockOf(project)).toMatchObject({ locked: false, expected_aggregate_sha256: null });
    expect(JSON.parse((await project.expect(0, "list", "-o", "json")).stdout)).toMatchObject([{ name: "m", locked: false }]);
  });

  it("S1.9 S1.34 S1.36 S1.77 S3.44 S3.59 a changed byte under a lock exits 2, says both ways out and keeps the time of the last success", async () => {
    const { project, weights } = await machine();
    await project.expect(0, "lock", "m");
    await project.expect(0, "verify", "m");
    const before = await lockOf(project);
    await writeFile(weights, "wEights");
    const { stdout } = await project.expect(2, "verify", "m");
    expect(stdout).toContain("changed or corrupt: 1 of 5 files are wrong");
    expect(stdout).toContain("sub/model.safetensors");
    expect(stdout).toMatch(/next put the files that are locked back in place\n +or {3}holdfast lock m --set-expected accepts/);
    expect(await lockOf(project)).toEqual(before);
  });

  it("S1.38 K9 lock refuses to replace what was expected without being told to, and says what is here and what was", async () => {
    const { project, weights } = await machine();
    await project.expect(0, "lock", "m");
    const locked = await project.read("holdfast.lock.yaml");
    await writeFile(weights, "wEights");
    const refused = await project.expect(2, "lock", "m");
    expect(refused.stdout).toContain("it is locked to other content");
    expect(await project.read("holdfast.lock.yaml")).toBe(locked);
    expect((await project.expect(0, "lock", "m", "--set-expected")).stdout).toMatch(/was sha256:[0-9a-f]{64}\n +now sha256:[0-9a-f]{64}/);
    await project.expect(0, "verify", "m");
  });

  it("S3.50 S3.60 verify --lock locks what was verified and has no lock; from then on every change fails", async () => {
    const { project, weights } = await machine();
    await project.expect(0, "verify", "m", "--lock");
    expect(await lockOf(project)).toMatchObject({ locked: true, expected_aggregate_sha256: aggregate });
    await writeFile(weights, "wEights");
    const locked = await readFile(join(project.root, "holdfast.lock.yaml"), "utf8");
    await project.expect(2, "verify", "m", "--lock");
    expect(await project.read("holdfast.lock.yaml")).toBe(locked);
  });

  it("S3.55 CI denies drift: a manifest without a lock where one is needed, and any changed file of the whole folder", async () => {
    const { project } = await machine();
    project.env["CI"] = "true";
    await project.expect(0, "lock");
    await project.expect(0, "verify");
    await writeFile(join(project.home, "weights", "m", ".hid", "x"), "H");
    await project.expect(2, "verify");
    await project.expect(2, "drift", "--verify", "full");
    await project.write(
      "manifests/other.yaml",
      modelManifest("other", { path: { dir: join(project.home, "weights", "other") } }, { lock: { required: true } }),
    );
    expect((await project.expect(20, "verify")).stderr).toContain("holdfast lock other");
  });

  it("S3.12 a dry run of lock, unlock and apply says what would be and writes nothing", async () => {
    const { project } = await machine();
    expect((await project.expect(0, "lock", "m", "--dry-run")).stdout).toMatch(/1 added.*\nNothing was written/);
    await expect(project.read("holdfast.lock.yaml")).rejects.toThrow("ENOENT");
    await project.expect(0, "lock", "m");
    const locked = await project.read("holdfast.lock.yaml");
    expect((await project.expect(0, "unlock", "m", "--dry-run")).stdout).toContain("1 removed");
    expect(await project.read("holdfast.lock.yaml")).toBe(locked);
    await project.expect(0, "plan", "--out", "plan.json");
    expect((await project.expect(0, "apply", "plan.json", "--dry-run", "-o", "json")).stdout).toBe(await project.read("plan.json"));
  });
});
