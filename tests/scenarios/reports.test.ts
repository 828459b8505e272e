import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { createProject, modelManifest, type Project } from "./harness.ts";

async function machine(): Promise<Project> {
  const project = await createProject();
  const dir = join(project.home, "weights", "m");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "config.json"), "{}");
  const gone = modelManifest("gone", { path: { dir: join(project.home, "nowhere") } });
  await project.write("manifests/m.yaml", modelManifest("m", { path: { dir } }, { roles: ["chat"], capabilities: { vision: true } }) + gone);
  return project;
}

describe("reports of a pass", () => {
  it("S3.10 S3.11 are written as lines of JSON and as Markdown, next to one another", async () => {
    const project = await machine();
    await project.run("reconcile", "-o", "jsonl=pass.jsonl", "-o", "markdown=pass.md");
    const lines: readonly { readonly kind: string; readonly apiVersion: string }[] = (await project.read("pass.jsonl"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.kind)).toEqual(["action", "blocked", "drift", "pass"]);
    expect(lines[0]).toMatchObject({ outcome: { state: "applied" } });
    expect(lines[1]).toMatchObject({ apiVersion: "holdfast.dev/v1", blocked: { object: "model/gone" } });
    expect(await project.read("pass.md")).toContain("gone");
  });

  it("S1.55 S3.4 the registry of any backend is listed as a table and as JSON, with role, capability and artifacts of each model", async () => {
    const project = await machine();
    await project.run("verify", "m");
    await project.run("reconcile");
    const table = (await project.expect(0, "list")).stdout;
    expect(table).toMatch(/^NAME +BACKEND +LOCKED +VISION +ROLES +HASH +SIZE +SERVED AS\n/);
    expect(table).toMatch(/^m +\S+ +no +yes +chat +/m);
    const rows: readonly { readonly name: string }[] = JSON.parse((await project.expect(0, "list", "-o", "json")).stdout);
    expect(rows.find((row) => row.name === "m")).toMatchObject({ roles: ["chat"], vision: true, locked: false });
    const entries: readonly { readonly name: string }[] = JSON.parse(await project.read("configs/model_registry.json"));
    expect(entries.find((entry) => entry.name === "m")).toMatchObject({
      backend: expect.any(String),
      capabilities: { vision: true },
      artifacts: { files: [{ path: "config.json" }] },
    });
  });
});

describe("commands that change files or models", () => {
  it("S3.12 can all be tried without changing anything", () => {
    const program = buildProgram(() => undefined);
    const dry = program.commands.filter((command) => command.options.some((option) => option.long === "--dry-run")).map((command) => command.name());
    const changing = ["reconcile", "apply", "lock", "unlock", "import", "adopt", "migrate", "sync-downloader", "rebuild-ollama"];
    for (const name of [...changing, "reset-discovered", "purge-deprecated", "normalize-formats"]) expect(dry).toContain(name);
  });
});
