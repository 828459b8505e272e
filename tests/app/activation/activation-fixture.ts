import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach } from "vitest";
import { activate } from "../../../src/app/activation/activate.ts";
import { HoldfastError, type Failure } from "../../../src/domain/failure.ts";
import { useWorkspace } from "../../adapters/filesystem/workspace.ts";
import { servingWorld, standInCommand, type ServingWorld, type WorldOptions } from "./activation-world.ts";

/** Worlds for one test file; each is closed, with every process in it, after its test. */
export interface Worlds {
  open(options?: WorldOptions): Promise<ServingWorld>;
  /** A world in which `a` serves. */
  serving(options?: WorldOptions): Promise<ServingWorld>;
  /** Starts a server that is not Holdfast's on the port of a world; returns its pid. */
  stranger(world: ServingWorld, model: string, extra?: readonly string[]): Promise<number>;
  folder(): Promise<string>;
}

/** Makes the worlds of a test file. */
export function useWorlds(): Worlds {
  const workspace = useWorkspace();
  const worlds: ServingWorld[] = [];
  const strangers: number[] = [];
  afterEach(async () => {
    for (const pid of strangers.splice(0)) endGroup(pid);
    for (const world of worlds.splice(0)) await world.close();
  });
  const open = async (options: WorldOptions = {}): Promise<ServingWorld> => {
    const world = await servingWorld(options.root ?? (await workspace()), options);
    worlds.push(world);
    return world;
  };
  return {
    open,
    serving: async (options) => {
      const world = await open(options);
      await activate(world.host, { backend: world.backend, ...(await world.model("a")) }, world.options());
      return world;
    },
    stranger: async (world, model, extra = []) => {
      const pid = await startStranger(world, model, extra);
      strangers.push(pid);
      return pid;
    },
    folder: workspace,
  };
}

async function startStranger(world: ServingWorld, model: string, extra: readonly string[]): Promise<number> {
  const [program = "", ...args] = standInCommand;
  const dir = join(world.root, "models", model);
  await mkdir(dir, { recursive: true });
  const command = [...args, "serve", dir, "--port", String(world.port), "--served-model-name", model, ...extra];
  return spawn(program, command, { detached: true, stdio: "ignore", env: { PATH: process.env["PATH"] } }).pid ?? 0;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The test has stopped it.
  }
}

/** The failure that an attempt ends with. */
export async function failureOf(attempt: Promise<unknown>): Promise<Failure> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof HoldfastError) return error.failure;
    throw error;
  }
  throw new Error("it did not fail");
}

/** Waits until something is true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 500; round += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it never came true");
}

/** Command lines of a world's processes that mention something. */
export function commandsOf(world: ServingWorld, part: string): readonly string[] {
  return world.ours().flatMap(({ command }) => (command.join(" ").includes(part) ? [command.join(" ")] : []));
}
