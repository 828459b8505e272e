import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEngineProcesses } from "../../src/adapters/process/engine-processes.ts";
import { scopeOf } from "../../src/app/activation/activation-host.ts";
import type { ProcessFacts } from "../../src/domain/activation/activation.ts";
import { freePort, standInCommand } from "../app/activation/activation-world.ts";
import { backendManifest, createProject, ended, modelManifest, type Project } from "./harness.ts";

interface Changes {
  /** By model. */
  readonly launch?: Readonly<Record<string, object>>;
  readonly backend?: object;
  /** About every model. */
  readonly model?: object;
}

/** A project with one single-port backend, two models, and the stand-in for vLLM as its engine. */
interface Machine {
  readonly project: Project;
  readonly port: number;
  /** Writes the manifests: what is active, what a model is started with, more about the backend. */
  declare(active: string | undefined, changes?: Changes): Promise<void>;
  ours(): readonly ProcessFacts[];
  served(): Promise<string | undefined>;
}

const processes = createEngineProcesses({ env: { PATH: process.env["PATH"] } });
const models = ["a", "b"];

async function machine(): Promise<Machine> {
  const project = await createProject();
  const port = await freePort();
  const scope = { kind: "marked", scope: scopeOf({ root: project.root }, "gpu"), leaders: [] } as const;
  onTestFinished(async () => {
    expect(await processes.stop({ set: scope, timeout: 0 })).toEqual([]);
  });
  for (const name of models) {
    await mkdir(join(project.home, "models", name), { recursive: true });
    await writeFile(join(project.home, "models", name, "config.json"), JSON.stringify({ name }));
  }
  return {
    project,
    port,
    declare: async (active, { launch = {}, backend = {}, model = {} } = {}) => {
      const spec = {
        type: "vllm",
        host: "127.0.0.1",
        port,
        launch: { command: standInCommand },
        activation: { startTimeout: "20s", stopTimeout: "4s" },
        ...(active === undefined ? {} : { active }),
        ...backend,
      };
      const documents = models.map((name) =>
        modelManifest(
          name,
          { path: { dir: join(project.home, "models", name) } },
          { backend: "gpu", ...model, ...(launch[name] === undefined ? {} : { launch: launch[name] }) },
        ),
      );
      await project.write("manifests/all.yaml", backendManifest("gpu", spec) + documents.join(""));
    },
    ours: () => processes.find(scope),
    served: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/models`).catch(() => undefined);
      const body: unknown = await answer?.json();
      return /"id":"([^"]+)"/.exec(JSON.stringify(body) ?? "")?.[1];
    },
  };
}

interface Current {
  readonly logical_name: string | null;
  readonly state: string;
  readonly pid: number | null;
}

async function current({ project }: Machine): Promise<Current> {
  const { stdout } = await project.run("current-model", "-o", "json");
  const answer: Current = JSON.parse(stdout);
  return answer;
}

/** Text as it was before it was cut into lines. */
function unwrapped(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

const crash = { env: { FAKE_VLLM_CRASH: "ValueError: the weights are torn" } };

describe("serving at the command line", () => {
  it("S1.11 S1.45 S1.46 S1.47 what Git says is what the port serves: start, switch, nothing, and an empty plan after each", async () => {
    const gpu = await machine();
    const { project } = gpu;
    for (const name of models) {
      await gpu.declare(name);
      const drift = await project.expect(2, "drift");
      expect(drift.stdout).toMatch(/BACKEND\s+backend\/gpu/);
      const plan = await project.expect(2, "plan", "--detailed-exitcode");
      expect(plan.stdout).toContain(`activate ${name} on gpu`);
      expect(unwrapped(plan.stdout)).toContain(name === "a" ? "it has 20 s to start" : "up to 24 s without service");
      await project.expect(0, "reconcile");
      expect(await gpu.served()).toBe(name);
      expect(await current(gpu)).toMatchObject({ logical_name: name, state: "serving" });
      await project.expect(0, "plan", "--detailed-exitcode");
    }
    expect(new Set(gpu.ours().map((own) => own.session)).size).toBe(1);
    expect(JSON.parse(await project.read("_staging/active_vllm.json"))).toMatchObject({ logical_name: "b", port: gpu.port });
    await gpu.declare("none");
    await project.expect(0, "reconcile");
    expect(gpu.ours()).toEqual([]);
    expect(existsSync(join(project.root, "_staging/active_vllm.json"))).toBe(false);
    expect(await current(gpu)).toMatchObject({ logical_name: null, state: "stopped" });
  });

  it("S1.45 puts the previous model back when the new one does not come up, says why, and does not flap", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    await gpu.declare("b", { launch: { b: crash } });
    const failed = await project.expect(26, "reconcile");
    expect(unwrapped(failed.stdout)).toContain("b did not come up on");
    expect(unwrapped(failed.stdout)).toContain("ValueError: the weights are torn; a serves again");
    expect(await gpu.served()).toBe("a");
    const again = await project.expect(26, "reconcile");
    expect(unwrapped(again.stdout)).toMatch(/starting b failed once .*the weights are torn.*next try after/);
    expect((await project.run("status")).stdout).toMatch(/gpu\s+b\s+a\s+serving/);
    const log = await project.expect(0, "logs", "gpu", "--model", "b");
    expect(log.stdout).toContain("the weights are torn");
    expect((await project.expect(0, "logs", "gpu", "-n", "3")).stdout).not.toContain("torn");
  });

  it("S1.45 keeps the log of a start that failed beside that of the same model, which is put back as it was", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    await gpu.declare("a", { launch: { a: crash } });
    const failed = await project.expect(26, "reconcile");
    const log = /log (\S+a\.log\.1)/.exec(unwrapped(failed.stdout))?.[1] ?? "";
    expect(await readFile(log, "utf8")).toContain("the weights are torn");
    expect(await gpu.served()).toBe("a");
  });

  it("S1.45 S1.46 S1.56 a person can switch without Git and is told what the manifests say", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    const switched = await project.expect(0, "activate-model", "b");
    expect(switched.stdout).toContain("gpu  serves b");
    expect(switched.stderr).toContain("says active: a");
    expect((await project.expect(2, "drift")).stdout).toContain("serves b instead of a");
    await project.expect(0, "activate-model", "b");
    await project.expect(0, "activate-model", "--stop");
    expect(gpu.ours()).toEqual([]);
    await project.expect(0, "activate-model", "none");
    await project.expect(64, "activate-model", "c");
    await project.expect(64, "activate-model");
    await project.expect(0, "reconcile");
    expect(await gpu.served()).toBe("a");
  });

  it("S1.45 a person can try again at once what failed before", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("b", { launch: { b: crash } });
    for (const _ of [1, 2, 3]) await project.expect(26, "reconcile");
    expect((await project.expect(26, "reconcile")).stdout).toContain("no more tries");
    const tried = await project.expect(26, "activate-model", "b");
    expect(`${tried.stdout}${tried.stderr}`).toContain("the weights are torn");
    expect(gpu.ours()).toEqual([]);
  });

  it("S1.11 kill -9 in the middle of a switch: the next pass ends with exactly the declared model", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    await gpu.declare("b", { launch: { b: { env: { FAKE_VLLM_LOAD_MS: "1500" } } } });
    const child = project.start("reconcile");
    const end = ended(child);
    while (!(await project.read(".holdfast/serving/gpu.json")).includes('"loading"')) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGKILL");
    expect((await end).signal).toBe("SIGKILL");
    expect(await current(gpu)).toMatchObject({ state: "loading" });
    expect((await project.run("plan")).stdout).toContain("the start of b was interrupted and has to be finished");
    await project.expect(0, "reconcile");
    expect(await gpu.served()).toBe("b");
    expect(new Set(gpu.ours().map((own) => own.session)).size).toBe(1);
    await project.expect(0, "plan", "--detailed-exitcode");
  });

  it("S1.11 a saved plan switches only what would be switched now", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "plan", "--out", "plan.json");
    await gpu.declare("b");
    const refused = await project.run("apply", "plan.json");
    expect(refused.code).not.toBe(0);
    expect(unwrapped(refused.stdout)).toContain("it would be done differently now");
    expect(gpu.ours()).toEqual([]);
    await gpu.declare("a");
    await project.expect(0, "plan", "--out", "plan.json");
    await project.expect(0, "apply", "plan.json");
    expect(await gpu.served()).toBe("a");
  });

  it("S1.11 reports a server that somebody else started and leaves it alone, until the backend adopts it", async () => {
    const gpu = await machine();
    const { project } = gpu;
    const [program = "", script = ""] = standInCommand;
    const model = join(project.home, "models", "b");
    const stranger = spawn(program, [script, "serve", model, "--port", String(gpu.port), "--served-model-name", "theirs"], { stdio: "ignore" });
    onTestFinished(() => void stranger.kill("SIGKILL"));
    while ((await gpu.served()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    await gpu.declare("a");
    const left = await project.expect(26, "reconcile");
    expect(left.stdout).toContain(`pid ${stranger.pid}`);
    expect(left.stdout).toContain("set adopt: true");
    expect(await gpu.served()).toBe("theirs");
    expect(await current(gpu)).toMatchObject({ state: "foreign" });
    await gpu.declare("a", { backend: { adopt: true } });
    await project.expect(0, "reconcile");
    expect(await gpu.served()).toBe("a");
  });

  it.each([
    ["a command that does not exist", { backend: { launch: { command: ["no-such-engine"] } } }, "no-such-engine"],
    ["a command that prints and exits", { backend: { launch: { command: ["/bin/echo", "hello"] } } }, "it ended with code 0"],
    ["a missing template", { launch: { a: { chatTemplate: "/no/such/template.jinja" } } }, "/no/such/template.jinja does not exist"],
    ["an engine that serves another id", { launch: { a: { env: { FAKE_VLLM_SERVED_ID: "other" } } } }, "serves other instead of a"],
  ])("S1.45 refuses %s, says so, and leaves nothing behind", async (_, changes, words) => {
    const gpu = await machine();
    await gpu.declare("a", changes);
    const refused = await gpu.project.run("reconcile");
    expect([25, 26]).toContain(refused.code);
    expect(unwrapped(refused.stdout)).toContain(words);
    expect(gpu.ours()).toEqual([]);
    expect(await gpu.served()).toBeUndefined();
  });

  it("S1.45 S3.80 lets a model for a visual role describe a picture before it counts as serving", async () => {
    const gpu = await machine();
    const sees = { roles: ["caption"], capabilities: { vision: true } };
    await gpu.declare("a", { model: sees, launch: { a: { env: { FAKE_VLLM_SMOKE: "embeddings-only" } } } });
    const blind = await gpu.project.expect(26, "reconcile");
    expect(unwrapped(blind.stdout)).toContain("a role of it needs vision, and it cannot describe a picture (HTTP 404)");
    expect(gpu.ours()).toEqual([]);
    await gpu.declare("a", { model: sees });
    await gpu.project.expect(0, "reconcile");
    expect(await gpu.served()).toBe("a");
  });

  it("S1.45 gives an engine its API key out of the environment, proves it with the key, and writes the key nowhere", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a", { backend: { apiKeyEnv: "GPU_KEY" } });
    project.env["GPU_KEY"] = "sesame-open";
    await project.expect(0, "reconcile");
    expect(await gpu.served()).toBeUndefined();
    expect(await current(gpu)).toMatchObject({ logical_name: "a", state: "serving" });
    await project.expect(0, "plan", "--detailed-exitcode");
    for (const file of [".holdfast/serving/gpu.json", "_staging/active_vllm.json", "logs/vllm/a.log", "configs/model_registry.json"])
      expect(await project.read(file)).not.toContain("sesame-open");
    delete project.env["GPU_KEY"];
    const refused = await project.expect(24, "plan");
    expect(unwrapped(refused.stdout)).toContain("name the variable that holds its API key in apiKeyEnv of the Backend, and set it");
  });

  it("S1.45 never starts a model whose files do not verify", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare(undefined);
    await project.expect(0, "reconcile");
    await project.expect(0, "lock");
    await writeFile(join(project.home, "models", "a", "config.json"), JSON.stringify({ name: "A" }));
    await gpu.declare("a");
    const refused = await project.run("reconcile");
    expect(refused.code).not.toBe(0);
    expect(unwrapped(refused.stdout)).toMatch(/model\/a: config.json does not match.* skipped/s);
    expect(gpu.ours()).toEqual([]);
  });

  it("S1.46 stops the server of a backend that left the manifests, and never purges what a server runs from", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    await project.write("manifests/all.yaml", modelManifest("b", { path: { dir: join(project.home, "models", "b") } }));
    expect((await project.run("plan")).stdout).toContain("its backend has left the manifests");
    await project.run("reconcile");
    expect(gpu.ours()).toEqual([]);
    expect(existsSync(join(project.root, "_staging/active_vllm.json"))).toBe(false);
  });

  it("S1.47 says that a server was killed, not that it starts, and the next pass starts it again", async () => {
    const gpu = await machine();
    const { project } = gpu;
    await gpu.declare("a");
    await project.expect(0, "reconcile");
    process.kill((await current(gpu)).pid ?? 0, "SIGKILL");
    expect(["silent", "stopped"]).toContain((await current(gpu)).state);
    await project.expect(0, "reconcile");
    expect(await current(gpu)).toMatchObject({ logical_name: "a", state: "serving" });
  });
});
