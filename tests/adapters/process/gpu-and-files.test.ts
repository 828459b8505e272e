import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { createActivationFiles } from "../../../src/adapters/process/activation-files.ts";
import { createGpuMeter } from "../../../src/adapters/process/gpu-meter.ts";
import { childEnvironment } from "../../../src/adapters/process/start-program.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const workspace = useWorkspace();
const { signal } = new AbortController();

/** A folder with a `nvidia-smi` that does this. */
async function smi(script: string): Promise<NodeJS.ProcessEnv> {
  const folder = await workspace();
  await writeFile(join(folder, "nvidia-smi"), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, "nvidia-smi"), 0o755);
  return { PATH: `${folder}:${process.env["PATH"] ?? ""}` };
}

describe("GPU memory", () => {
  it("S1.79 is read from nvidia-smi, rows without numbers left out", async () => {
    const env = await smi('case "$1" in *query-gpu*) printf "0, 100, 24000\\n1, [N/A], 24000\\n";; *) printf "77, 90\\n78, [N/A]\\n";; esac');
    expect(await createGpuMeter({ env }).read(signal)).toEqual({ gpus: [{ index: "0", used: 100, total: 24000 }], uses: [{ pid: 77, used: 90 }] });
  });

  it("S1.79 is unknown without the tool, and when the tool fails", async () => {
    const meter = createGpuMeter({ env: { PATH: await workspace() } });
    expect(await meter.read(signal)).toBeUndefined();
    expect(await meter.read(signal)).toBeUndefined();
    expect(await createGpuMeter({ env: await smi("echo no driver; exit 9") }).read(signal)).toBeUndefined();
  });

  it("stops asking when it is cancelled", async () => {
    const cancel = new AbortController();
    const reading = createGpuMeter({ env: await smi("exec sleep 30") }).read(cancel.signal);
    cancel.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });
});

describe("files of an activation", () => {
  it("S1.47 are written privately or for all, read, measured from the end, and removed", async () => {
    const folder = await workspace();
    const files = createActivationFiles(createDisk({ quarantineRoot: folder }));
    const path = join(folder, "new", "a.json");
    expect(await files.read(path)).toBeUndefined();
    expect(await files.tail(path, 10)).toBe("");
    expect(await files.list(join(folder, "new"))).toEqual([]);
    await files.write(path, "0123456789abc", "private");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await files.read(path)).toBe("0123456789abc");
    expect(await files.tail(path, 3)).toBe("abc");
    expect(await files.tail(path, 300)).toBe("0123456789abc");
    expect(await files.list(join(folder, "new"))).toEqual(["a.json"]);
    await files.write(path, "x", "shared");
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    await files.remove(path);
    await files.remove(path);
    expect(await files.exists(path)).toBe(false);
  });

  it("are whole to a reader, however often they are replaced", async () => {
    const folder = await workspace();
    const files = createActivationFiles(createDisk({ quarantineRoot: folder }));
    const path = join(folder, "a.json");
    await files.write(path, "0", "private");
    let writing = true;
    const writer = (async () => {
      for (let round = 0; round < 150; round += 1) await files.write(path, String(round % 10).repeat(1 + ((round * 7919) % 5000)), "private");
      writing = false;
    })();
    while (writing) expect(await files.read(path)).toMatch(/^(\d)\1*$/);
    await writer;
  });

  it("F02 leave nothing behind of a write that was killed in the middle, by the next one", async () => {
    const folder = await workspace();
    const disk = createDisk({ quarantineRoot: folder });
    const dead = disk.temporaryName(join(folder, "a.json")).replace(`-${process.pid}-`, `-${spawnSync("true").pid}-`);
    await writeFile(dead, "half");
    await createActivationFiles(disk).write(join(folder, "a.json"), "whole", "private");
    expect(await readdir(folder)).toEqual(["a.json"]);
  });

  it("are not read when they are far too large", async () => {
    const folder = await workspace();
    const files = createActivationFiles(createDisk({ quarantineRoot: folder }));
    await mkdir(join(folder, "x"));
    await writeFile(join(folder, "x", "big"), Buffer.alloc(5 * 1024 * 1024));
    await expect(files.read(join(folder, "x", "big"))).rejects.toMatchObject({ failure: { code: "unsupported" } });
    expect((await readFile(join(folder, "x", "big"))).length).toBe(5 * 1024 * 1024);
  });
});

describe("the environment of an engine", () => {
  it("SEC-18 has of the host only what is allowed; the marker cannot be declared away", () => {
    const host = {
      PATH: "/bin",
      HOME: "/h",
      HF_TOKEN: "hf_x",
      LD_PRELOAD: "/x.so",
      NODE_OPTIONS: "--inspect",
      GIT_DIR: "/g",
      PYTHONPATH: "/p",
      VLLM_PORT: "tcp://10.0.0.1:80",
      CUDA_VISIBLE_DEVICES: "1",
    };
    const env = childEnvironment({ env: { A: "1", HOLDFAST_INSTANCE_ID: "forged" }, instance: "scope.id" }, host);
    expect(env).toEqual({ PATH: "/bin", HOME: "/h", CUDA_VISIBLE_DEVICES: "1", A: "1", HOLDFAST_INSTANCE_ID: "scope.id" });
  });
});
