import { tmpdir } from "node:os";
import { join } from "node:path";
import { createActivationFiles } from "../../src/adapters/process/activation-files.ts";
import { createEngineProcesses } from "../../src/adapters/process/engine-processes.ts";
import { createGpuMeter } from "../../src/adapters/process/gpu-meter.ts";
import { createDisk } from "../../src/adapters/filesystem/disk.ts";
import { createProber } from "../../src/adapters/openai/prober.ts";
import type { ServingMachine } from "../../src/app/activation/activation-host.ts";

/** This machine, with records below a folder; without one nothing was ever recorded. */
export function machineBelow(root: string = join(tmpdir(), "holdfast-no-such-folder")): ServingMachine {
  return {
    processes: createEngineProcesses({ env: { PATH: process.env["PATH"] } }),
    files: createActivationFiles(createDisk({ quarantineRoot: join(root, ".holdfast", "quarantine") })),
    gpu: createGpuMeter({ env: { PATH: process.env["PATH"] } }),
    paths: { root, records: join(root, ".holdfast", "serving"), logs: join(root, "logs") },
    stateFile: join(root, "_staging", "active_vllm.json"),
    prober: createProber(),
    apiKeyOf: () => undefined,
  };
}
