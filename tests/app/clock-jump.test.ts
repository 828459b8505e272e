import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Host } from "../../src/app/host.ts";
import { readProject } from "../../src/app/read-project.ts";
import { reconcile, type PassResult } from "../../src/app/reconcile.ts";
import { clockJump } from "../../src/domain/clock-jump.ts";
import { loadSettings } from "../../src/settings.ts";
import { createHost } from "../../src/wiring/host.ts";
import { installSample, makeSample } from "../fakes/ollama-samples.ts";
import { startFakeOllama } from "../fakes/ollama-server.ts";

const hour = 3_600_000;

interface Machine {
  readonly host: Host;
  /** Lets time pass, and sets the clock by some more. */
  wait(ms: number, setBy?: number): void;
  declare(...names: readonly string[]): Promise<void>;
  pass(): Promise<PassResult>;
}

/** A project with two Ollama models, a grace period of twelve hours and a clock of its own. */
async function machine(): Promise<Machine> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-clock-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const store = join(root, "ollama");
  const ollama = await startFakeOllama(store);
  onTestFinished(() => ollama.close());
  for (const [seed, name] of ["a", "b"].entries()) await installSample(store, "registry.ollama.ai", makeSample({ name: `library/${name}:1b`, seed }));
  await mkdir(join(root, "manifests"), { recursive: true });
  const env = { OLLAMA_HOST: ollama.url, OLLAMA_MODELS: store, HF_HUB_CACHE: join(root, "hub") };
  const { settings } = await loadSettings({ flags: { "prune.grace": "12h", "prune.maxDeletionPercent": "100" }, env, root, home: root });
  if (settings === undefined) throw new Error("the settings do not load");
  const opened = await createHost(settings, { name: "test", toolVersion: "0", access: "write", warn: () => undefined });
  onTestFinished(opened.close);
  let wall = Date.parse("2026-11-21T12:00:00.000Z");
  let steady = 0;
  const clock = { ...opened.host.clock, now: () => new Date(wall).toISOString(), steady: () => ({ epoch: "boot", ms: steady }) };
  const host: Host = { ...opened.host, clock };
  const signal = new AbortController().signal;
  return {
    host,
    wait: (ms, setBy = 0) => {
      wall += ms + setBy;
      steady += ms;
    },
    declare: async (...names) => {
      const documents = names.map(
        (name) =>
          `---\napiVersion: holdfast.dev/v1\nkind: Model\nmetadata: { name: ${name} }\nspec: { source: { ollama: { model: "${name}:1b" } } }\n`,
      );
      await writeFile(join(root, "manifests", "models.yaml"), documents.join(""));
    },
    pass: async () => {
      const project = await readProject(host, signal);
      if (project.state === "invalid") throw new Error("the manifests do not decode");
      const options = { level: "presence", plan: host.planDefaults, purpose: "server", progress: () => undefined } as const;
      const result = await reconcile(host, project, { ...options, command: "reconcile", approve: async () => true }, signal);
      if (result === undefined) throw new Error("not approved");
      return result;
    },
  };
}

const verbs = ({ before }: PassResult): readonly string[] => before.plan.actions.map((action) => action.verb);
const jumps = ({ publication }: PassResult): readonly string[] =>
  publication.findings.filter((each) => each.code === "clock.jump").map((each) => each.message);

/** A machine on which one of two owned models has just left the manifests, and was seen to have left twice. */
async function leaving(): Promise<Machine> {
  const there = await machine();
  await there.declare("a", "b");
  const since = there.host.clock.now();
  await there.host.state.commit(
    ["a", "b"].map((name) => ({
      kind: "own" as const,
      item: {
        name,
        store: "ollama:ollama" as const,
        ref: `registry.ollama.ai/library/${name}:1b`,
        origin: "pulled" as const,
        since,
        sizeBytes: 1,
        protect: false,
      },
    })),
  );
  await there.pass();
  await there.declare("a");
  expect(verbs(await there.pass())).toEqual(["deprecate"]);
  for (let round = 0; round < 2; round++) {
    there.wait(60_000);
    expect(verbs(await there.pass())).toEqual([]);
  }
  return there;
}

describe("a clock that jumps", () => {
  it("F18 a clock set forward by a day purges nothing early, is said, and the grace period ends when its time has passed", async () => {
    const there = await leaving();
    there.wait(60_000, 24 * hour);
    const jumped = await there.pass();
    expect([verbs(jumped), jumps(jumped)]).toEqual([[], [expect.stringContaining("ClockJump: the clock was set forward by 1440 minutes")]]);
    there.wait(11 * hour);
    const early = await there.pass();
    expect([verbs(early), jumps(early)]).toEqual([[], []]);
    there.wait(hour);
    expect(verbs(await there.pass())).toEqual(["purge"]);
  });

  it("F18 a clock set back by a day does not make the grace period longer", async () => {
    const there = await leaving();
    there.wait(60_000, -24 * hour);
    expect(jumps(await there.pass())).toEqual([expect.stringContaining("back by 1440 minutes")]);
    there.wait(12 * hour);
    expect(verbs(await there.pass())).toEqual(["purge"]);
  });

  it("F18 a machine that slept for a day has lived for a day", async () => {
    const there = await leaving();
    there.wait(24 * hour);
    const result = await there.pass();
    expect([verbs(result), jumps(result)]).toEqual([["purge"], []]);
  });

  it("is no jump where the machine was started in between, or a time service moved the clock a little", () => {
    const at = (wall: string, steadyMs: number, epoch = "x"): Parameters<typeof clockJump>[1] => ({ wall, steadyMs, epoch });
    const before = at("2026-11-21T12:00:00.000Z", 0);
    expect(clockJump(before, at("2026-11-23T12:00:00.000Z", 0, "y"))).toBe(0);
    expect(clockJump(before, at("2026-11-21T12:04:00.000Z", 0))).toBe(0);
    expect(clockJump(before, at("2026-11-21T13:00:00.000Z", 0))).toBe(hour);
    expect(clockJump(undefined, before)).toBe(0);
    expect(clockJump(before, at("no time", 0))).toBe(0);
  });
});
