import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama, type FakeOllama } from "../fakes/ollama-server.ts";
import { backendManifest, createProject, modelManifest, type Project } from "./harness.ts";

const discovered = "configs/model_registry.discovered.json";
const merged = "configs/model_registry.json";

interface Entry {
  readonly name: string;
  readonly roles: readonly string[];
  readonly deprecated: boolean;
  readonly served_model_id?: string;
  readonly artifacts: { readonly files: readonly object[] };
  readonly download_path: string | null;
  readonly download_location: string | null;
  readonly download_format: string | null;
  readonly download_size_bytes: number | null;
}

async function entries(project: Project, file = merged): Promise<readonly Entry[]> {
  const list: readonly Entry[] = JSON.parse(await project.read(file));
  return list;
}

const names = async (project: Project, file = merged): Promise<readonly string[]> => (await entries(project, file)).map((entry) => entry.name);

async function backups(project: Project): Promise<readonly string[]> {
  return (await readdir(join(project.root, "configs"))).filter((name) => name.endsWith(".bak.json")).toSorted();
}

/** Two models in an Ollama, none declared. */
async function machine(): Promise<{ readonly project: Project; readonly ollama: FakeOllama; readonly requests: () => readonly string[] }> {
  const project = await createProject();
  const store = join(project.home, "ollama");
  const ollama = await startFakeOllama(store);
  onTestFinished(() => ollama.close());
  for (const [seed, name] of ["llava:7b", "mistral:latest"].entries())
    await installSample(store, "registry.ollama.ai", makeSample({ name: `library/${name}`, seed }));
  await project.write("manifests/backend.yaml", backendManifest("local", { type: "ollama", url: ollama.url, store }));
  return { project, ollama, requests: () => ollama.requests };
}

const foreign = [
  { name: "model-ollama-gguf", backend: "ollama", served_model_id: "None" },
  { name: "llava_7b_(Q4_0)", backend: "ollama", served_model_id: "llava:7b", roles: ["caption"], model_aliases: ["eyes"] },
];

describe("resetting and rebuilding from the command line", () => {
  it("S0.4 S0.5 S0.37 S1.67 import takes in every local model with its facts, and asks for none to be pulled", async () => {
    const { project, requests } = await machine();
    await project.expect(0, "import");
    expect((await entries(project)).map((entry) => [entry.name, entry.served_model_id, entry.download_format])).toEqual([
      ["llava-7b-ollama-gguf", "llava:7b", "gguf"],
      ["mistral-latest-ollama-gguf", "mistral:latest", "gguf"],
    ]);
    expect((await entries(project)).map((entry) => entry.artifacts.files.length)).toEqual([4, 4]);
    expect(requests().filter((request) => /pull|create|copy|delete/.test(request))).toEqual([]);
    expect(requests().length).toBeGreaterThan(0);
  });

  it("S0.21 S0.22 S0.38 reset clears the entries of one backend in every file, keeps copies, and import brings the same names back", async () => {
    const { project } = await machine();
    await project.expect(0, "import");
    const first = await project.read(merged);
    expect((await project.expect(0, "reset-discovered", "--backend", "ollama", "--dry-run")).stdout).toContain(
      "2 entries of ollama would be cleared",
    );
    expect(await project.read(merged)).toBe(first);
    await project.expect(0, "reset-discovered", "--backend", "vllm");
    expect(await project.read(merged)).toBe(first);
    const { stdout } = await project.expect(0, "reset-discovered", "--backend", "ollama");
    expect(stdout).toContain("Reset: 2 entries of ollama cleared.");
    expect([await names(project), await names(project, discovered)]).toEqual([[], []]);
    expect((await project.expect(0, "list")).stdout).toBe("No models.\n");
    expect(await backups(project)).toHaveLength(2);
    await project.expect(0, "reset-discovered", "--backend", "ollama");
    expect(await backups(project)).toHaveLength(2);
    await project.expect(0, "import");
    expect(await names(project)).toEqual(["llava-7b-ollama-gguf", "mistral-latest-ollama-gguf"]);
  });

  it("S0.24 S0.38 resets and imports in one step, and leaves everything as it was when the server cannot be asked", async () => {
    const { project, ollama } = await machine();
    await project.write(discovered, JSON.stringify(foreign));
    await ollama.crash();
    const { stdout } = await project.expect(24, "reset-discovered", "--backend", "ollama", "--import");
    expect(stdout).toContain("nothing was changed");
    expect(await project.read(discovered)).toBe(JSON.stringify(foreign));
    expect(await backups(project)).toEqual([]);
  });

  it("S0.24 S0.23 resetting and importing in one step makes one entry per tag", async () => {
    const { project } = await machine();
    await project.write(discovered, JSON.stringify(foreign));
    await project.expect(0, "reset-discovered", "--backend", "ollama", "--import");
    expect(await names(project)).toEqual(["llava-7b-ollama-gguf", "mistral-latest-ollama-gguf"]);
    const once = await project.read(merged);
    await project.expect(0, "reset-discovered", "--backend", "ollama", "--import");
    expect(await names(project)).toEqual(["llava-7b-ollama-gguf", "mistral-latest-ollama-gguf"]);
    expect(once).toContain("llava:7b");
  });

  it("S0.27 S0.28 S0.29 S0.39 rebuild-ollama fills in what is missing with the label, keeps roles and aliases, and has nothing to do twice", async () => {
    const { project } = await machine();
    await project.write(discovered, JSON.stringify(foreign));
    expect((await project.expect(0, "rebuild-ollama", "--dry-run")).stdout).toContain("not written");
    expect(await project.read(discovered)).toBe(JSON.stringify(foreign));
    await project.expect(0, "rebuild-ollama", "--location", "linux_wsl");
    const llava = (await entries(project)).find((entry) => entry.served_model_id === "llava:7b");
    expect(llava).toMatchObject({ roles: ["caption"], download_location: "linux_wsl", download_format: "gguf" });
    expect(llava?.download_path).toMatch(/llava\/7b$/);
    expect(llava?.download_size_bytes).toBeGreaterThan(0);
    const once = await project.read(merged);
    expect((await project.expect(0, "rebuild-ollama", "--location", "elsewhere")).stdout).toContain("0 added, 0 removed, 0 completed");
    expect(await project.read(merged)).toBe(once);
  });
});

describe("diagnosing the registry", () => {
  const facts = async (project: Project): Promise<string> => {
    const { stdout } = await project.run("doctor", "-o", "json");
    const { checks }: { checks: readonly { readonly id: string; readonly fact: string; readonly remedy?: string }[] } = JSON.parse(stdout);
    return checks
      .filter((check) => check.id === "DOC-REGISTRY")
      .map((check) => `${check.fact} -> ${check.remedy ?? ""}`)
      .join("\n");
  };

  it("S0.19 S0.20 S0.25 S0.26 doctor names generic, duplicate, stale and hidden entries with their causes, and nothing after a rebuild", async () => {
    const { project } = await machine();
    expect(await facts(project)).toContain("there is no registry yet");
    const twin = { name: "llava-7b-ollama-gguf", backend: "ollama", served_model_id: "llava:7b" };
    const gone = { name: "gone", backend: "ollama", served_model_id: "gone:1b" };
    await project.write(discovered, JSON.stringify([...foreign, twin, gone]));
    await project.write(merged, JSON.stringify([...foreign, twin, gone]));
    const found = await facts(project);
    expect(found).toContain("model-ollama-gguf is a generic placeholder");
    expect(found).toContain(
      "2 entries stand for llava:7b: llava-7b-ollama-gguf (strategy A without quantization), llava_7b_(Q4_0) (simplified name)",
    );
    expect(found).toContain("gone stands for gone:1b, which no Ollama store holds any more");
    expect(found).toContain("mistral:latest is in ollama:local but has no entry: it was not imported yet -> holdfast import");
    expect(found).toContain("whose download_path is missing");
    await project.expect(0, "reset-discovered", "--backend", "ollama", "--import");
    expect(await facts(project)).toBe("the registry lists 2 models as the stores hold them -> ");
  });

  it("K7 doctor tells what somebody wrote into the merged file, and where it belongs", async () => {
    const { project } = await machine();
    await project.write(
      "configs/model_registry.curated.json",
      JSON.stringify([{ name: "llava-7b-ollama-gguf", backend: "ollama", roles: ["caption"] }]),
    );
    await project.expect(0, "import");
    expect(await facts(project)).toContain("as the stores hold them");
    await project.write(merged, (await project.read(merged)).replace('"caption"', '"caption", "mine"'));
    expect(await facts(project)).toMatch(/llava-7b-ollama-gguf was changed \(roles\) in the merged registry by hand.*write this into its manifest/);
  });
});

describe("retiring entries from the command line", () => {
  it("S0.31 S0.32 S0.36 S0.41 placeholders are deprecated by import, purged by name, and do not come back", async () => {
    const { project } = await machine();
    await project.write(discovered, JSON.stringify([...foreign, { name: "old", backend: "vllm", deprecated: true }]));
    await project.expect(0, "import", "--deprecate-placeholders");
    expect((await entries(project)).filter((entry) => entry.deprecated).map((entry) => entry.name)).toEqual(["model-ollama-gguf", "old"]);
    expect((await project.expect(0, "purge-deprecated", "--placeholders-only", "--dry-run")).stdout).toContain("- model-ollama-gguf");
    await project.expect(0, "purge-deprecated", "--placeholders-only");
    expect(await names(project)).toEqual(["llava-7b-ollama-gguf", "mistral-latest-ollama-gguf", "old"]);
    await project.expect(0, "import");
    expect(await names(project)).toEqual(["llava-7b-ollama-gguf", "mistral-latest-ollama-gguf", "old"]);
  });

  it("S0.35 purges every deprecated entry but those a person wrote, which are reported with the patch; twice is once", async () => {
    const { project } = await machine();
    const curated = JSON.stringify([{ name: "mine", backend: "remote", deprecated: true }]);
    await project.write("configs/model_registry.curated.json", curated);
    await project.write(discovered, JSON.stringify([{ name: "old", backend: "vllm", deprecated: true }]));
    const { stderr, stdout } = await project.expect(0, "purge-deprecated", "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({ kind: "PurgeResult", applied: true, retired: ["old"] });
    expect(stderr).toContain('remove the object with "name": "mine"');
    expect(await project.read("configs/model_registry.curated.json")).toBe(curated);
    expect(JSON.parse((await project.expect(0, "purge-deprecated", "-o", "json")).stdout)).toMatchObject({ retired: [], backups: [] });
  });

  it("a discovered file that is no registry is not written over", async () => {
    const { project } = await machine();
    await project.write(discovered, "{ not json");
    for (const command of [["purge-deprecated"], ["reset-discovered", "--backend", "all"], ["rebuild-ollama"]]) await project.expect(20, ...command);
    expect(await project.read(discovered)).toBe("{ not json");
  });
});

describe("formats from the command line", () => {
  async function folderProject(): Promise<{ readonly project: Project; readonly dir: string }> {
    const { project } = await machine();
    const dir = join(project.home, "weights", "tiny");
    const header = JSON.stringify({ a: { dtype: "BF16", shape: [2], data_offsets: [0, 4] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await mkdir(join(dir, "sub"), { recursive: true });
    await writeFile(join(dir, "model.safetensors"), Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]));
    await writeFile(join(dir, "sub", "z.txt"), "z");
    const entry = { name: "tiny", backend: "vllm", download_path: dir, download_format: "gguf", download_files: ["z.txt"], roles: ["chat"] };
    await project.write(discovered, JSON.stringify([entry]));
    return { project, dir };
  }

  it("S0.42 normalize-formats shows what differs and writes nothing, with --dry-run and without", async () => {
    const { project } = await folderProject();
    const before = await project.read(discovered);
    for (const flags of [[], ["--dry-run"]]) {
      const { stdout } = await project.expect(0, "normalize-formats", ...flags);
      expect(stdout).toContain('download_format: "gguf" -> "safetensors"');
      expect(stdout).toContain("1 entry would change");
    }
    expect(await project.read(discovered)).toBe(before);
    await project.expect(64, "normalize-formats", "--dry-run", "--apply");
  });

  it("S0.43 normalize-formats --rebuild --apply persists container, files with their folders, size and checksum, and is done then", async () => {
    const { project } = await folderProject();
    await project.expect(0, "normalize-formats", "--rebuild", "--apply");
    expect((await entries(project)).find((entry) => entry.name === "tiny")).toMatchObject({
      download_format: "safetensors",
      download_files: ["model.safetensors", "sub/z.txt"],
      download_directory_checksum: expect.stringMatching(/^[0-9a-f]{16}$/),
      roles: ["chat"],
    });
    expect(await backups(project)).toHaveLength(1);
    expect((await project.expect(0, "normalize-formats", "--rebuild", "--apply")).stdout).toContain("0 entries changed");
    expect(await backups(project)).toHaveLength(1);
  });
});

describe("coming from another registry", () => {
  it("S3.48 S3.49 sync-downloader counts first, then adds entries that the next import keeps", async () => {
    const { project } = await machine();
    const records = {
      one: { model_name: "Org/Some-Model@main", path: "/w/some", format_type: "safetensors", size_bytes: 12, files: [{ path: "a", size: 12 }] },
    };
    await project.write("models.json", JSON.stringify(records));
    expect((await project.expect(0, "sync-downloader", "models.json", "--dry-run")).stdout).toContain("Sync: 1 would be created, 0 would be updated");
    await expect(project.read(discovered)).rejects.toThrow("ENOENT");
    await project.expect(0, "sync-downloader", "models.json");
    await project.expect(0, "import");
    expect(await names(project)).toContain("some-model-main");
    expect((await project.expect(0, "sync-downloader", "models.json")).stdout).toContain("0 created, 0 updated, 1 unchanged");
    await project.write("models.json", JSON.stringify({ ...records, two: { path: "/x" } }));
    await project.expect(26, "sync-downloader", "models.json");
    await project.write("models.json", "[");
    await project.expect(20, "sync-downloader", "models.json");
    await project.expect(64, "sync-downloader", "absent.json");
  });

  it("S3.52 S3.65 migrate turns layers into manifests that decode, once, and changes no file that was there", async () => {
    const { project } = await machine();
    const layers = [...foreign, { name: "llava_7b", backend: "ollama", served_model_id: "llava:7b", metadata: { created_from_download: true } }];
    const curated = [
      { name: "api", backend: "remote", roles: ["chat"], backend_config: { port: 0, model_path: "", base_url: "https://api.example.com/v1" } },
    ];
    await project.write(discovered, JSON.stringify(layers));
    await project.write("configs/model_registry.curated.json", JSON.stringify(curated));
    await project.write("stages.json", JSON.stringify({ keywords: ["eyes"] }));
    expect((await project.expect(0, "migrate", "--dry-run")).stdout).toContain("model: llava:7b");
    const { stdout, stderr } = await project.expect(0, "migrate", "--stages", "stages.json");
    expect(stdout).toContain("Migrated: 2 models");
    expect(stderr).toContain("became");
    const llava = await project.read("manifests/migrated/llava_7b__Q4_0_.yaml");
    expect(llava).toMatch(/roles:\n {4}- caption\n {4}- role: keywords\n {6}priority: 1/);
    expect(llava).toMatch(/aliases:\n {4}- eyes\n {4}- llava_7b\n/);
    expect((await project.expect(0, "migrate")).stdout).toContain("Migrated: 0 models, 0 backends; 3 declared already.");
    expect(await project.read(discovered)).toBe(JSON.stringify(layers));
    await project.expect(0, "validate");
  });

  it("S3.64 migrate reads the old single file, which a first import copies before it writes over it", async () => {
    const { project } = await machine();
    const single = JSON.stringify([{ name: "hand", backend: "vllm", download_path: "/w/hand", roles: ["chat"] }]);
    await project.write(merged, single);
    await project.expect(0, "import");
    expect(await project.read("configs/model_registry.backup.pre_split.json")).toBe(single);
    expect((await project.expect(0, "migrate")).stderr).toContain("old single-file form");
    expect(await project.read("manifests/migrated/hand.yaml")).toContain("dir: /w/hand");
  });

  it("a manifest that would break the project is left out and said; the others are written", async () => {
    const { project } = await machine();
    await project.write("manifests/taken.yaml", modelManifest("taken", { path: { dir: "/w/shared" } }, { aliases: ["b"] }));
    const entry = (name: string, path: string): object => ({
      name,
      backend: "vllm",
      download_path: path,
      model_aliases: name === "a" ? ["taken"] : [],
    });
    await project.write("other.json", JSON.stringify([entry("a", "/w/a"), entry("b", "/w/b"), entry("c", "/w/c")]));
    const { stdout, stderr } = await project.expect(26, "migrate", "other.json");
    expect(stderr).toContain("a got no manifest");
    expect(stdout).toContain("Migrated: 1 model, 1 backend; 1 declared already.");
    await project.expect(0, "validate");
    await project.expect(1, "migrate", "--only", "x");
  });
});
