import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { etagOf, hubModel, noise, type HubModel } from "../fakes/hub-model.ts";
import { startFakeHub } from "../fakes/hub-server.ts";
import { createProject, ended, modelManifest, type Project } from "./harness.ts";

const kills = 50;

const models: readonly HubModel[] = ["one", "two", "three"].map((name) =>
  hubModel(`org/${name}`, {
    "config.json": `{"name":"${name}"}`,
    "model.safetensors": noise(name, 1_500_000),
    "more/model.safetensors": noise(`${name} more`, 700_000),
  }),
);

/** Blobs that stand under their final name, with their real SHA-256 (LFS) or Git id (others). */
function finalBlobs(project: Project): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { repo } of models) {
    const folder = join(project.home, "hub", `models--${repo.replace("/", "--")}`, "blobs");
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).filter((file) => /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(file))) {
      const bytes = readFileSync(join(folder, name));
      found.set(
        name,
        name.length === 64
          ? createHash("sha256").update(bytes).digest("hex")
          : createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
      );
    }
  }
  return found;
}

describe("kill -9 at random moments", () => {
  it(`F01 F02 F03 after ${kills} kills in an apply with three downloads it converges; no wrong byte ever had a final name, nothing verified was fetched twice`, async () => {
    const hub = await startFakeHub(models);
    onTestFinished(() => hub.close());
    for (const path of ["model.safetensors", "more/model.safetensors"]) hub.switches.slowMs.set(path, 4);
    const project = await createProject({ HF_ENDPOINT: hub.endpoint });
    await project.write(
      "manifests/models.yaml",
      models.map(({ repo }) => modelManifest(repo.slice(4), { huggingface: { repo, revision: "main" } })).join(""),
    );
    let complete = new Set<string>();
    let kept = 0;
    for (let kill = 0; kill < kills; kill++) {
      hub.sent();
      const child = project.start("reconcile");
      const end = ended(child);
      await sleep(100 + Math.random() * 700);
      child.kill("SIGKILL");
      await end;
      await hub.idle();
      const again = hub.sent();
      const etags = new Set(
        models.flatMap((model) =>
          model.files.filter((file) => again.some((path) => path.endsWith(file.path) && path.includes(model.repo))).map(etagOf),
        ),
      );
      expect([...complete].filter((etag) => etags.has(etag))).toEqual([]);
      const blobs = finalBlobs(project);
      for (const [name, real] of blobs) expect(real, `blob ${name} after kill ${kill}`).toBe(name);
      complete = new Set(blobs.keys());
      kept = Math.max(kept, complete.size);
      if (complete.size === 9 && kill % 5 === 4) await startOver(project);
      if (complete.size === 9) complete = new Set(finalBlobs(project).keys());
    }
    expect(kept).toBeGreaterThan(0);
    await project.expect(0, "reconcile");
    expect((await project.expect(0, "plan", "--detailed-exitcode")).stdout).toContain("No changes.");
    await project.expect(0, "drift", "--verify", "full");
    expect(finalBlobs(project).size).toBe(9);
    const leftovers = models.flatMap(({ repo }) =>
      readdirSync(join(project.home, "hub", `models--${repo.replace("/", "--")}`, "blobs")).filter((name) => name.startsWith(".")),
    );
    expect(leftovers).toEqual([]);
  }, 300_000);
});

/** Everything is here: throw it away, so that later kills hit downloads again. */
async function startOver(project: Project): Promise<void> {
  const { rm } = await import("node:fs/promises");
  await rm(join(project.home, "hub"), { recursive: true, force: true });
  await rm(join(project.root, ".holdfast"), { recursive: true, force: true });
}
