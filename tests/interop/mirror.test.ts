import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeHubModel, writeOllamaModel } from "../../examples/quickstart/models.ts";
import { createModelHeaders } from "../../src/adapters/model-files/model-headers.ts";
import { sha256 } from "../../src/domain/digest.ts";
import { addFiles, folderOf, mainCommit, mirrorOf } from "../mirror/mirror-client.ts";
import { hubEnvironment, ollama, python, reportMissing, runHf, runPython, startOllama } from "../mirror/real-programs.ts";

reportMissing("mirror");

const download = `
import json, sys
from huggingface_hub import snapshot_download
print(json.dumps(snapshot_download(sys.argv[1], revision=sys.argv[2], endpoint=sys.argv[3])))
`;

const inspect = `
import json, sys
from huggingface_hub import HfApi
api = HfApi(endpoint=sys.argv[1])
def name(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
print(json.dumps({
    "files": len([f for f in api.list_repo_tree("acme/many", recursive=True)]),
    "expanded": len([f for f in api.list_repo_tree("acme/many", expand=True)]),
    "paths": [f.path for f in api.get_paths_info("acme/tiny", ["config.json", "none"], expand=True)],
    "branches": sorted(r.name for r in api.list_repo_refs("acme/tiny").branches),
    "lfs": [s.lfs.sha256 for s in api.model_info("acme/tiny", files_metadata=True).siblings if s.lfs],
    "license": api.model_info("acme/tiny").card_data.license,
    "repository": name(lambda: api.model_info("acme/none")),
    "revision": name(lambda: api.model_info("acme/tiny", revision="none")),
    "entry": name(lambda: api.hf_hub_download("acme/tiny", "none.json")),
}))
`;

const load = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as f:
    shape = f.get_slice("model.embed_tokens.weight").get_shape()
    norm = f.get_tensor("model.norm.weight").sum()
    print(json.dumps({"tensors": len(list(f.keys())), "embedding": list(shape), "norm": float(norm)}))
`;

describe.skipIf(python === undefined)("the Python client of the Hub", () => {
  it("downloads a plain folder, verifies it, and a mirror of its cache gives the same commit again", async () => {
    const folder = await folderOf({});
    const files = await writeHubModel(join(folder, "acme", "tiny"));
    const mirror = await mirrorOf(folder);
    const commit = await mainCommit(mirror, "acme/tiny");
    const [first, second] = [await folderOf({}), await folderOf({})];
    const snapshot = String(await runPython(download, ["acme/tiny", "main", mirror.url], hubEnvironment(mirror.url, first)));
    expect(snapshot).toBe(join(first, "hub/models--acme--tiny/snapshots", commit));
    for (const file of files) expect(sha256(await readFile(join(snapshot, file)))).toBe(sha256(await readFile(join(folder, "acme/tiny", file))));
    expect(
      await runHf(["cache", "verify", "acme/tiny", "--fail-on-missing-files", "--fail-on-extra-files"], hubEnvironment(mirror.url, first)),
    ).toContain("6 file(s)");

    const again = await mirrorOf(join(first, "hub"));
    expect(await runHf(["download", "acme/tiny", "--revision", commit], hubEnvironment(again.url, second))).toContain(commit);
    expect(await runHf(["cache", "verify", "acme/tiny"], hubEnvironment(again.url, second))).toContain("6 file(s)");
  });

  it("reads listings, pages, refs, licences and errors as from the Hub", async () => {
    const folder = await folderOf(Object.fromEntries(Array.from({ length: 1205 }, (_, index) => [`acme/many/${index} ü.txt`, "x"])));
    await writeHubModel(join(folder, "acme", "tiny"));
    await addFiles(folder, { "acme/tiny@next/config.json": "{}" });
    const mirror = await mirrorOf(folder);
    expect(await runPython(inspect, [mirror.url], hubEnvironment(mirror.url, await folderOf({})))).toEqual({
      files: 1205,
      expanded: 1205,
      paths: ["config.json"],
      branches: ["main", "next"],
      lfs: [sha256(await readFile(join(folder, "acme/tiny/model.safetensors")))],
      license: "apache-2.0",
      repository: "RepositoryNotFoundError",
      revision: "RevisionNotFoundError",
      entry: "RemoteEntryNotFoundError",
    });
  });

  it("safetensors loads the tiny model of the quick start", async () => {
    const folder = await folderOf({});
    await writeHubModel(folder);
    expect(await runPython(load, [join(folder, "model.safetensors")], {})).toEqual({ tensors: 38, embedding: [2048, 128], norm: 128 });
  });
});

describe.skipIf(ollama === undefined)("a real Ollama server", () => {
  it.each([
    ["127.0.0.1", "sent to localhost"],
    ["localhost", "sent to 127.0.0.1"],
    ["127.0.0.2", "given a Location"],
  ])("pulls from %s, %s", async (name) => {
    const [folder, home] = [await folderOf({}), await folderOf({})];
    await mkdir(join(home, "models"));
    const digest = await writeOllamaModel(join(folder, "ollama"), "tiny-chat:1b");
    const mirror = await mirrorOf(folder, name === "127.0.0.2" ? { host: name } : {});
    const server = await startOllama(home);
    const model = `${name}:${mirror.port}/library/tiny-chat:1b`;
    const pulled = await post(`${server}/api/pull`, { model, insecure: true, stream: false });
    expect(pulled).toEqual({ status: "success" });
    expect(await (await fetch(`${server}/api/tags`)).json()).toMatchObject({ models: [{ name: model, digest }] });

    const manifest: { layers: { mediaType: string; digest: string }[] } = JSON.parse(
      await readFile(join(folder, "ollama/manifests/registry.ollama.ai/library/tiny-chat/1b"), "utf8"),
    );
    for (const layer of manifest.layers) {
      const hex = layer.digest.slice("sha256:".length);
      expect(sha256(await readFile(join(home, "models/blobs", `sha256-${hex}`)))).toBe(hex);
    }
    const weights = manifest.layers.find((layer) => layer.mediaType.endsWith(".model"));
    const finding = await createModelHeaders().inspectFile(
      join(home, "models/blobs", weights?.digest.replace(":", "-") ?? ""),
      new AbortController().signal,
    );
    const shown = await post(`${server}/api/show`, { model });
    expect(shown).toMatchObject({
      details: { family: "llama", parameter_size: "262.27K" },
      model_info: { "llama.context_length": 2048, "general.parameter_count": 262_272 },
    });
    expect(finding).toMatchObject({
      state: "understood",
      facts: { family: "llama", parameterSize: "262.27K", contextLength: 2048, parameterCount: 262_272 },
    });
  });
});

async function post(url: string, body: unknown): Promise<unknown> {
  return (await fetch(url, { method: "POST", body: JSON.stringify(body) })).json();
}
