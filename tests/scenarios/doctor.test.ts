import { describe, expect, it } from "vitest";
import { freePort, standInCommand } from "../app/activation/activation-world.ts";
import { backendManifest, createProject } from "./harness.ts";

describe("the doctor", () => {
  it("tells what a pass needs, and what keeps an engine from being started, with the remedy", async () => {
    const project = await createProject();
    const engine = (name: string, more: object): Promise<string> => freePort().then((port) => backendManifest(name, { type: "vllm", port, ...more }));
    await project.write(
      "manifests/backends.yaml",
      (await engine("idle", { active: "none", launch: { command: standInCommand } })) +
        (await engine("broken", { launch: { command: ["no-such-engine"] } })) +
        (await engine("closed", { apiKeyEnv: "NO_SUCH_KEY", launch: { command: standInCommand } })),
    );
    const { stdout } = await project.run("doctor");
    const text = stdout.replaceAll(/\s+/g, " ");
    expect(text).toMatch(/Node 2\d/);
    expect(text).toContain("3 backends");
    expect(text).toContain("idle: nothing listens there, as declared");
    expect(text).toMatch(/idle: \S+node is \S+node/);
    expect(text).toContain("no-such-engine");
    expect(text).toContain("launch.command of the Backend");
    expect(text).toContain("closed: its API key is in NO_SUCH_KEY, which is not set");
  });
});
