import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { tinyGguf } from "../../../examples/quickstart/models.ts";
import { createModelHeaders } from "../../../src/adapters/model-files/model-headers.ts";
import { inTime } from "../../../src/adapters/model-files/in-time.ts";
import { entry, rawGguf, rawSafetensors, temporaryFolder, tensor, text, u32, u64 } from "./raw-files.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;

describe("files that cannot be read", () => {
  it("says that a file is not there instead of guessing", async () => {
    const missing = join(await temporaryFolder(), "m.gguf");
    await expect(createModelHeaders().inspectFile(missing, signal)).rejects.toMatchObject({ failure: { code: "not-found" } });
    await expect(createModelHeaders().inspectFolder(await temporaryFolder(), ["config.json"], signal)).rejects.toMatchObject({
      failure: { code: "not-found" },
    });
  });

  it("does not wait for a writer of a named pipe and does not read folders", async () => {
    const folder = await temporaryFolder();
    await run("mkfifo", [join(folder, "m.gguf")]);
    await expect(createModelHeaders().inspectFile(join(folder, "m.gguf"), signal)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
    await expect(createModelHeaders().inspectFile(folder, signal)).rejects.toMatchObject({ failure: { code: "invalid-input" } });
  });

  it("does not wait for a read that hangs, and does not call the file malformed for it", async () => {
    const hanging = new Promise<never>(() => undefined);
    await expect(inTime("read", 20, signal, () => hanging)).rejects.toMatchObject({ failure: { code: "timeout", retry: "transient" } });
    const controller = new AbortController();
    const reading = inTime("read", 60_000, controller.signal, () => hanging);
    const reason = new Error("stopped");
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it("rejects with the reason of the signal", async () => {
    const file = join(await temporaryFolder(), "m.gguf");
    await writeFile(file, tinyGguf());
    const reason = new Error("stopped");
    await expect(createModelHeaders().inspectFile(file, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(createModelHeaders().inspectFolder(file, [], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

/** Runs in a process of its own, because memory can only be measured there. */
const measure = `
  const { createModelHeaders } = await import(process.argv[1]);
  const headers = createModelHeaders();
  const inspect = (file) => headers.inspectFile(file, new AbortController().signal);
  await inspect(process.argv[2]);
  const before = process.resourceUsage().maxRSS;
  const { state } = await inspect(process.argv[3]);
  console.log(JSON.stringify({ state, mebibytes: (process.resourceUsage().maxRSS - before) / 1024 }));
`;

function largest(format: "gguf" | "safetensors"): Buffer {
  const counted = <Value>(count: number, make: (index: number) => Value): Value[] => Array.from({ length: count }, (_, index) => make(index));
  if (format === "safetensors") {
    const entries = counted(
      120_000,
      (index) => `"${`n${index}`.padEnd(100, "z")}":{"dtype":"F32","shape":[1],"data_offsets":[${index * 4},${index * 4 + 4}]}`,
    );
    return rawSafetensors(`{${entries.join(",")}}`, 480_000);
  }
  const words = Buffer.concat(counted(500_000, (index) => text(`word ${index}`)));
  const metadata = counted(16_000, (index) => entry(`k${index}`.padEnd(100, "x"), 4, u32(index)));
  const tensors = counted(60_000, (index) => tensor(`t${index}`.padEnd(200, "y"), [8], index * 32));
  return rawGguf({ metadata: [entry("tokens", 9, Buffer.concat([u32(8), u64(500_000), words])), ...metadata], tensors, data: 60_000 * 32 });
}

describe("SEC-29 memory", () => {
  it.each(["gguf", "safetensors"] as const)("reads the largest %s header in less than 64 MiB", async (format) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "warm.gguf"), tinyGguf());
    await writeFile(join(folder, `large.${format}`), largest(format));
    const module = new URL("../../../src/adapters/model-files/model-headers.ts", import.meta.url).href;
    const { stdout } = await run(process.execPath, [
      "--input-type=module",
      "-e",
      measure,
      module,
      join(folder, "warm.gguf"),
      join(folder, `large.${format}`),
    ]);
    const { state, mebibytes }: { state: string; mebibytes: number } = JSON.parse(stdout);
    expect(state).toBe("understood");
    expect(mebibytes).toBeLessThan(64);
  });
});
