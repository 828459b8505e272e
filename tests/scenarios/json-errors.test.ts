import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createProject, modelManifest } from "./harness.ts";

interface ErrorAnswer {
  readonly apiVersion: string;
  readonly kind: string;
  readonly exitCode: number;
  readonly error: { readonly code: string; readonly message: string; readonly retry: string; readonly remedy?: string };
  readonly diagnostics?: readonly { readonly code: string; readonly location?: { readonly file: string; readonly line: number } }[];
}

describe("a failed command that was asked for JSON", () => {
  it("answers with a versioned error object on stdout, and with the text for people on stderr", async () => {
    const project = await createProject();
    const { stdout, stderr } = await project.expect(64, "verify", "nothing", "-o", "json");
    const answer: ErrorAnswer = JSON.parse(stdout);
    expect(answer).toEqual({
      apiVersion: "holdfast.dev/v1",
      kind: "Error",
      exitCode: 64,
      error: { code: "invalid-input", retry: "terminal", message: expect.stringContaining("nothing"), remedy: expect.any(String) },
    });
    expect(stderr).toContain(answer.error.message);
    const plain = await project.expect(64, "verify", "nothing");
    expect([plain.stdout, plain.stderr]).toEqual(["", stderr]);
  });

  it("S1.28 keeps the list a bare array, and answers with an object only when there is no list", async () => {
    const project = await createProject();
    const missing: ErrorAnswer = JSON.parse((await project.expect(1, "list", "-o", "json")).stdout);
    expect(missing).toMatchObject({ kind: "Error", exitCode: 1, error: { code: "not-found", remedy: expect.stringContaining("holdfast import") } });
    await project.write("configs/model_registry.json", "{");
    expect(JSON.parse((await project.expect(20, "list", "--output=json")).stdout)).toMatchObject({ diagnostics: [{ code: "registry.not-json" }] });
    await project.write("configs/model_registry.json", JSON.stringify([{ name: "a", backend: "vllm" }]));
    expect(JSON.parse((await project.expect(0, "list", "-ojson")).stdout)).toMatchObject([
      { name: "a", backend: "vllm", locked: false, roles: [], hash: "" },
    ]);
  });

  it("lists every finding with its place when the manifests are not valid", async () => {
    const project = await createProject();
    await project.write("manifests/a.yaml", modelManifest("a", { nonsense: {} }) + modelManifest("b", { ollama: {} }));
    const answer: ErrorAnswer = JSON.parse((await project.expect(20, "plan", "-o", "json")).stdout);
    expect(answer.error).toMatchObject({ code: "invalid-input", remedy: "holdfast validate" });
    expect(answer.diagnostics?.length).toBeGreaterThanOrEqual(2);
    expect(answer.diagnostics?.[0]?.location?.file).toBe("manifests/a.yaml");
  });

  it("answers wrong words on the command line too, and goes where the answer would have gone", async () => {
    const project = await createProject();
    expect(JSON.parse((await project.expect(64, "reconcil", "-o", "json")).stdout)).toMatchObject({ kind: "Error", exitCode: 64 });
    expect(JSON.parse((await project.expect(64, "plan", "--no-such-flag", "-o", "json")).stdout)).toMatchObject({ kind: "Error", exitCode: 64 });
    await project.write("result.json", '"of an earlier run"');
    expect((await project.expect(64, "verify", "nothing", "-o", "json=result.json")).stdout).toBe("");
    expect(JSON.parse(await project.read("result.json"))).toMatchObject({ kind: "Error", exitCode: 64 });
    expect((await project.expect(64, "verify", "nothing", "-o", "json=no/such/folder.json")).stdout).toBe("");
    expect(existsSync(join(project.root, "no"))).toBe(false);
  });

  it("hides secrets in the object as it does in text", async () => {
    const project = await createProject();
    const token = `hf_${"a".repeat(30)}`;
    const { stdout } = await project.expect(64, "verify", token, "-o", "json");
    expect(stdout).toContain("[redacted]");
    expect(stdout).not.toContain(token);
  });
});

describe("serving a mirror", () => {
  it("says in one line that the port is taken, what to do, and exits 64", async () => {
    const project = await createProject();
    const server = createServer();
    onTestFinished(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { stderr, stdout } = await project.expect(64, "mirror", "serve", ".", "--port", String(port));
    expect(stdout).toBe("");
    expect(stderr).toBe(
      `error[invalid-input]: mirror: cannot listen on 127.0.0.1 port ${port}: something else listens there\n  next    give another port with --port; 0 = any free one\n`,
    );
  });
});
