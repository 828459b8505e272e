import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { activate } from "../../../src/app/activation/activate.ts";
import { sha256 } from "../../../src/domain/digest.ts";
import type { Failure } from "../../../src/domain/failure.ts";
import { failureOf, until, useWorlds } from "./activation-fixture.ts";
import type { ServingWorld } from "./activation-world.ts";

const worlds = useWorlds();

describe("pre-flight touches nothing", () => {
  async function refused(world: ServingWorld, attempt: () => Promise<unknown>): Promise<Failure> {
    const before = await world.record();
    const failure = await failureOf(attempt());
    expect(await world.served()).toEqual(["a"]);
    expect(await world.record()).toEqual(before);
    return failure;
  }

  it("refuses a launch command that does not exist or may not be run", async () => {
    const world = await worlds.serving();
    const b = await world.model("b");
    const absent = { ...world.backend, launch: { command: ["no-such-vllm"], env: {} } };
    expect(await refused(world, () => activate(world.host, { backend: absent, ...b }, world.options()))).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("no-such-vllm"),
    });
    const script = join(world.root, "not-executable");
    await writeFile(script, "");
    const plain = { ...world.backend, launch: { command: [script], env: {} } };
    expect(await refused(world, () => activate(world.host, { backend: plain, ...b }, world.options()))).toMatchObject({ code: "permission" });
  });

  it("refuses a chat template that is not there", async () => {
    const world = await worlds.serving();
    const b = await world.model("b", {}, { launch: { args: [], env: {}, chatTemplate: "/nowhere/template.jinja" } });
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b }, world.options()))).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("/nowhere/template.jinja"),
    });
  });

  it("never starts a model whose files fail verification", async () => {
    const world = await worlds.serving();
    const b = await world.model("b");
    const config = sha256(JSON.stringify({ name: "b" }));
    const artifacts = [{ path: "config.json", size: 12, sha256: config.replace(/^./, "0") }];
    const lock = { name: "b", source: { kind: "path" }, artifacts, contentDigest: "d", aggregateSha256: "g" } as const;
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b, lock }, world.options()))).toMatchObject({
      code: "integrity",
      message: expect.stringContaining("b is not started: config.json has wrong bytes"),
    });
    await rm(join(world.root, "models", "b"), { recursive: true });
    expect(await refused(world, () => activate(world.host, { backend: world.backend, ...b }, world.options()))).toMatchObject({
      code: "precondition",
    });
  });

  it("refuses an address that is not on this machine", async () => {
    const world = await worlds.serving();
    const elsewhere = { ...world.backend, url: `http://192.0.2.1:${world.port}` };
    expect(
      await refused(world, async () => activate(world.host, { backend: elsewhere, ...(await world.model("b")) }, world.options())),
    ).toMatchObject({ code: "unsupported" });
  });

  it("S1.79 refuses a GPU that somebody else has filled, and counts what its own server will free", async () => {
    const root = await worlds.folder();
    const bin = join(root, "bin");
    await mkdir(bin);
    const fill = async (uses: string): Promise<void> => {
      await writeFile(join(bin, "nvidia-smi"), `#!/bin/sh\ncase "$1" in *query-gpu*) echo "0, 22000, 24000";; *) ${uses};; esac\n`);
      await chmod(join(bin, "nvidia-smi"), 0o755);
    };
    const world = await worlds.open({ root, env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` } });
    const a = await world.model("a", {}, { launch: { args: ["--gpu-memory-utilization", "0.05"], env: {} } });
    await fill("true");
    const { activated } = await activate(world.host, { backend: world.backend, ...a }, world.options());
    await fill('echo "4242, 21000"');
    const failure = await refused(world, async () => activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options()));
    expect(failure).toMatchObject({
      code: "conflict",
      retry: "transient",
      message: expect.stringContaining("the GPU is busy: b needs 92 % of a GPU; GPU 0: 2000 of 24000 MiB free; pid 4242 has 21000 MiB"),
    });
    await fill(`echo "${activated.leader.pid}, 21000"`);
    await activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options());
    expect(await world.served()).toEqual(["b"]);
  });

  it("lets one switch at a time happen on a port", async () => {
    const world = await worlds.serving();
    const release = await world.host.processes.lockPort(world.port);
    expect(
      await refused(world, async () => activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options())),
    ).toMatchObject({ code: "conflict", retry: "transient" });
    release();
  });
});

describe("GPU memory", () => {
  it("S1.11 is waited for after a stop, until it is back to what it was before the old server started", async () => {
    const root = await worlds.folder();
    const bin = join(root, "bin");
    await mkdir(bin);
    const used = join(root, "used");
    await writeFile(used, "100");
    await writeFile(join(bin, "nvidia-smi"), `#!/bin/sh\ncase "$1" in *query-gpu*) echo "0, $(cat ${used}), 24000";; esac\n`);
    await chmod(join(bin, "nvidia-smi"), 0o755);
    const world = await worlds.open({ root, env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` } });
    await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
    await writeFile(used, "1500");
    const running = activate(world.host, { backend: world.backend, ...(await world.model("b")) }, world.options());
    await until(() => world.events.some((event) => event.type === "progress" && event.phase === "waiting for GPU memory"));
    expect(world.ours()).toEqual([]);
    await writeFile(used, "120");
    await running;
    expect(await world.served()).toEqual(["b"]);
  });
});
