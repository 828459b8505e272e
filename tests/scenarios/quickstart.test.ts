import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ended } from "./harness.ts";

it("the quickstart shows plan, apply, empty plan, drift of one flipped byte, its repair, and a switch of what is served", async () => {
  const script = join(import.meta.dirname, "..", "..", "examples", "quickstart", "quickstart.ts");
  const { code, stdout, stderr } = await ended(
    spawn(process.execPath, [script], { env: { PATH: process.env["PATH"], NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] }),
  );
  expect(stderr.split("\n").filter((line) => line.startsWith("error"))).toEqual([]);
  const home = /below (\S+)/.exec(stdout)?.[1];
  if (home !== undefined) await rm(home, { recursive: true, force: true });
  expect(code).toBe(0);
  expect(stdout).toContain("Plan: 2 to pull.");
  expect(stdout).toContain("No changes. The machine matches the manifests");
  expect(stdout).toMatch(/CORRUPT\s+model\/tiny-writer\n\s+model\.safetensors/);
  expect(stdout).toContain("Plan: 1 to repair.");
  expect(stdout).toContain("Verified: 2 locked and right, 0 not locked, 0 wrong, 0 unknown.");
  expect(stdout).toMatch(/tiny-chat-1b-ollama-gguf\s+ollama/);
  expect(stdout).toContain("STAND-IN");
  expect(stdout).toMatch(/gpu {2}serves tiny-writer/);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("unrecognized arguments: --no-such-option; tiny-writer serves again");
  expect(stdout).toMatch(/deactivate {2}nothing serves on port/);
});
