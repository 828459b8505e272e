import { execFile } from "node:child_process";
import type { GpuMemory, GpuMeter, GpuUse } from "../../ports/serving-engine.ts";

const patience = 10_000;

/** Reads GPU memory through `nvidia-smi`, where that is on PATH. */
export function createGpuMeter({ env }: { readonly env: NodeJS.ProcessEnv }): GpuMeter {
  let missing = false;
  const query = (fields: string, signal: AbortSignal): Promise<string | undefined> =>
    new Promise((answer) => {
      const options = { env: { PATH: env["PATH"] ?? "", LC_ALL: "C" }, timeout: patience, maxBuffer: 1024 * 1024, signal };
      execFile("nvidia-smi", [fields, "--format=csv,noheader,nounits"], options, (error, stdout) => {
        if (error !== null && error.code === "ENOENT") missing = true;
        answer(error === null ? stdout : undefined);
      });
    });
  return {
    read: async (signal) => {
      if (missing) return undefined;
      const gpus = await query("--query-gpu=index,memory.used,memory.total", signal);
      signal.throwIfAborted();
      if (gpus === undefined) return undefined;
      const uses = await query("--query-compute-apps=pid,used_memory", signal);
      signal.throwIfAborted();
      return { gpus: rowsOf(gpus).flatMap(gpuOf), uses: rowsOf(uses ?? "").flatMap(useOf) };
    },
  };
}

function rowsOf(text: string): readonly (readonly string[])[] {
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.split(",").map((cell) => cell.trim())]));
}

/** A cell can be `[N/A]`, for example where several programs share memory. */
function gpuOf([index, used, total]: readonly string[]): readonly GpuMemory[] {
  const numbers = { used: Number(used), total: Number(total) };
  return index === undefined || Number.isNaN(numbers.used) || Number.isNaN(numbers.total) ? [] : [{ index, ...numbers }];
}

function useOf([pid, used]: readonly string[]): readonly GpuUse[] {
  const numbers = { pid: Number(pid), used: Number(used) };
  return Number.isNaN(numbers.pid) || Number.isNaN(numbers.used) ? [] : [numbers];
}
