import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHubArtifactHub, type ArtifactHubOptions } from "../../../src/adapters/huggingface/artifact-hub.ts";
import type { Upstream } from "../../../src/domain/upstream.ts";
import type { UpstreamQuery } from "../../../src/ports/artifact-hub.ts";
import { hubModel } from "../../fakes/hub-model.ts";
import { startFakeHub, type FakeHub } from "../../fakes/hub-server.ts";
import { quickRetry } from "./hub-world.ts";

const facts = { cardData: { license: "apache-2.0" }, gated: "manual" };
const old = hubModel("org/model", { "config.json": "{}", "weights.bin": "first" }, { refs: { main: "moved" }, facts });
const model = hubModel("org/model", { "config.json": "{}", "model.safetensors": "second", "onnx/model.onnx": "x", "README.md": "hello" }, { facts });

type HubSource = Extract<UpstreamQuery["source"], { kind: "huggingface" }>;
let hub: FakeHub;

beforeEach(async () => {
  hub = await startFakeHub([old, model]);
});
afterEach(() => hub.close());

type Query = Partial<HubSource> & Pick<UpstreamQuery, "commit" | "hashAll">;

function ask(query: Query = {}, options: Partial<ArtifactHubOptions> = {}, signal = new AbortController().signal): Promise<Upstream> {
  const { commit, hashAll, ...source } = query;
  const asked: HubSource = { kind: "huggingface", repo: "org/model", revision: "main", include: [], exclude: [], layout: "cache", ...source };
  const adapter = createHubArtifactHub({ endpoint: hub.endpoint, offline: false, retry: quickRetry, ...options });
  return adapter.resolve({ source: asked, ...(commit === undefined ? {} : { commit }), ...(hashAll === undefined ? {} : { hashAll }) }, signal);
}

async function failureOf(answer: Promise<Upstream>): Promise<Extract<Upstream, { state: "failed" }>["failure"]> {
  const upstream = await answer;
  if (upstream.state !== "failed") throw new Error("resolved");
  return upstream.failure;
}

function pathsOf(upstream: Upstream): readonly string[] {
  return upstream.state === "resolved" ? upstream.files.map((file) => file.path) : [];
}

describe("resolving a revision", () => {
  it("gives the commit, its files with what the hub declares of each, licence and gate", async () => {
    const upstream = await ask();
    expect(upstream).toMatchObject({ state: "resolved", kind: "huggingface", commit: model.commit, license: "apache-2.0", gated: true });
    if (upstream.state !== "resolved") return;
    const [weights, readme] = [model.files[1], model.files[3]];
    expect(upstream.files).toContainEqual({ path: "model.safetensors", size: 6, sha256: weights?.sha256, blobId: weights?.blobId });
    expect(upstream.files).toContainEqual({ path: "README.md", size: 5, blobId: readme?.blobId });
  });

  it("lists a locked commit although the branch has moved on", async () => {
    const upstream = await ask({ commit: old.commit });
    expect(upstream).toMatchObject({ state: "resolved", commit: old.commit });
    expect(pathsOf(upstream)).toEqual(["config.json", "weights.bin"]);
  });

  it("reads small files once for their SHA-256 when a lock needs it, and only those", async () => {
    hub.switches.cutAfter.set("README.md", [2]);
    const upstream = await ask({ hashAll: true });
    if (upstream.state !== "resolved") throw new Error(upstream.failure.message);
    expect(Object.fromEntries(upstream.files.map((file) => [file.path, file.sha256]))).toEqual(
      Object.fromEntries(model.files.map((file) => [file.path, file.sha256])),
    );
    expect(hub.sent()).toEqual(
      model.files
        .filter((file) => !file.lfs)
        .map((file) => file.path)
        .toSorted(),
    );
  });

  it.each(["wrongBytes", "short", "endless"] as const)("learns nothing from small files that are not what is listed (%s)", async (lie) => {
    hub.switches[lie].add("README.md");
    expect(await failureOf(ask({ hashAll: true }))).toMatchObject({ code: "integrity" });
  });

  it("keeps the files that the patterns select, `*` across folders", async () => {
    expect(pathsOf(await ask({ include: ["*.json", "onnx/"] }))).toEqual(["config.json", "onnx/model.onnx"]);
    expect(pathsOf(await ask({ exclude: ["*.md", "onnx/*"] }))).toEqual(["config.json", "model.safetensors"]);
  });

  it("follows the pages of a long list to its end", async () => {
    hub.switches.pageSize = 1;
    expect(pathsOf(await ask())).toHaveLength(4);
  });

  it.each([
    [{ cardData: { license: ["mit"] } }, "mit"],
    [{ cardData: { license: "other", license_name: "llama3" } }, "llama3"],
    [{ tags: ["pytorch", "license:gemma"] }, "gemma"],
    [{}, undefined],
  ])("reads the licence from %j", async (about, license) => {
    await hub.close();
    hub = await startFakeHub([hubModel("org/model", { "config.json": "{}" }, { facts: about })]);
    const upstream = await ask();
    expect(upstream.state === "resolved" && upstream.kind === "huggingface" ? upstream.license : "failed").toBe(license);
  });

  it("repeats after 5xx and after 429 with the pause that was asked for, then succeeds (F10)", async () => {
    hub.switches.refusals.push({ status: 503, times: 2 }, { status: 429, headers: { "retry-after": "0", ratelimit: '"api";r=7;t=299' }, times: 1 });
    expect(await ask()).toMatchObject({ state: "resolved" });
  });

  it("sends the token to the hub and asks for it anew each time", async () => {
    let token: string | undefined = "hf_first";
    const options = { token: () => token };
    await ask({}, options);
    token = undefined;
    await ask({}, options);
    const sent = hub.requests.map((request) => request.authorization);
    expect(sent).toEqual(["Bearer hf_first", "Bearer hf_first", undefined, undefined]);
  });
});

it("a token that cannot be one is refused without being shown, and nothing is asked", async () => {
  const failure = await failureOf(ask({}, { token: () => "hf_broken\nsecret" }));
  expect(failure).toMatchObject({ code: "unauthorized", retry: "terminal" });
  expect(JSON.stringify(failure)).not.toContain("secret");
  expect(hub.requests).toHaveLength(0);
});

describe("refusals, by error code before status (F10)", () => {
  it.each([
    ["a missing revision", 404, { "x-error-code": "RevisionNotFound" }, "not-found", /revision/],
    ["a missing repository", 401, { "x-error-code": "RepoNotFound" }, "not-found", /does not exist/],
    ["401 without a code", 401, {}, "not-found", /private/],
    ["a wrong token", 401, { "x-error-message": "Invalid credentials in Authorization header" }, "unauthorized", /token/],
    ["a gated repository", 403, { "x-error-code": "GatedRepo" }, "gated", /gated/],
    ["a disabled repository", 403, { "x-error-message": "Access to this resource is disabled." }, "not-found", /disabled/],
    ["a token without permission", 403, {}, "unauthorized", /403/],
    ["an unknown address", 404, {}, "not-found", /404/],
    ["a redirect to nowhere", 302, {}, "protocol", /nowhere/],
  ])("%s", async (_, status, headers, code, message) => {
    hub.switches.refusals.push({ status, headers });
    const failure = await failureOf(ask());
    expect(failure).toMatchObject({ code, retry: "terminal" });
    expect(failure.message).toMatch(message);
    expect(hub.requests).toHaveLength(1);
  });

  it("tells where to accept the terms of a gated repository", async () => {
    hub.switches.refusals.push({ status: 401, headers: { "x-error-code": "GatedRepo" } });
    expect((await failureOf(ask())).remedy).toBe(`accept the terms at ${hub.endpoint}/org/model and set HF_TOKEN`);
  });

  it("a limit that lasts longer than a pass waits is reported as transient, with the seconds", async () => {
    hub.switches.refusals.push({ status: 429, headers: { ratelimit: '"api";r=0;t=299' } });
    const failure = await failureOf(ask());
    expect(failure).toMatchObject({ code: "rate-limited", retry: "transient" });
    expect(failure.message).toContain("300 s");
  });

  it("5xx for ever and a closed port are transient", async () => {
    hub.switches.refusals.push({ status: 502 });
    expect(await failureOf(ask())).toMatchObject({ code: "upstream", retry: "transient" });
    expect(await failureOf(ask({}, { endpoint: "http://127.0.0.1:1" }))).toMatchObject({ code: "unreachable", retry: "transient" });
  });

  it("an answer that is not from a hub is a protocol failure", async () => {
    await hub.close();
    hub = await startFakeHub([hubModel("org/model", {}, { facts: { sha: "main" } })]);
    expect(await failureOf(ask())).toMatchObject({ code: "protocol" });
  });

  it("HF_HUB_OFFLINE is said clearly and nothing is asked", async () => {
    const failure = await failureOf(ask({}, { offline: true }));
    expect(failure.message).toContain("HF_HUB_OFFLINE");
    expect(hub.requests).toHaveLength(0);
  });

  it("an aborted question rejects with the reason of its signal", async () => {
    const reason = new Error("enough");
    await expect(ask({}, {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    hub.switches.refusals.push({ status: 503 });
    const abort = new AbortController();
    const asking = ask({}, { retry: { ...quickRetry, initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } }, abort.signal);
    await hub.idle();
    setTimeout(() => abort.abort(reason), 50);
    await expect(asking).rejects.toBe(reason);
  });
});

describe("a hub that cannot be trusted", () => {
  const hostile = [
    "../../x",
    "/etc/x",
    "C:\\x",
    "C:/x",
    "D:x",
    "\\\\h\\s",
    "a/../../b",
    "..%2f",
    "a\\..\\..\\b",
    "a\0b",
    "x".repeat(300),
    "CON",
    "aux.txt",
    "dot.",
    "space ",
    "",
    "a//b",
    "./a",
    ".git/hooks/post-checkout",
    "sub/.GIT/config",
    ".cache/huggingface/download/x.metadata",
  ];

  it.each(hostile)("SEC-01 refuses the path %j and names it", async (path) => {
    hub.switches.extraEntries.push({ type: "file", path, size: 1, oid: "a".repeat(40) });
    const failure = await failureOf(ask());
    expect(failure).toMatchObject({ code: "unsafe-path", retry: "terminal" });
    expect(failure.message).toContain(JSON.stringify(path));
  });

  it.each([["Config.json"], ["cafe\u0301.txt", "caf\u00e9.txt"], ["README.md/x"], ["config.json"]])(
    "SEC-05 refuses %j, which a file system might merge with another",
    async (...paths) => {
      for (const path of paths) hub.switches.extraEntries.push({ type: "file", path, size: 1, oid: "a".repeat(40) });
      const failure = await failureOf(ask());
      expect(failure).toMatchObject({ code: "unsafe-path" });
      expect(paths.some((path) => failure.message.includes(JSON.stringify(path)))).toBe(true);
    },
  );

  it("SEC-02 takes nothing for a hash that is not one", async () => {
    hub.switches.extraEntries.push({ type: "file", path: "a.bin", size: 1, oid: "a".repeat(40), lfs: { oid: "../../../etc/passwd", size: 1 } });
    expect(await failureOf(ask())).toMatchObject({ code: "protocol" });
    hub.switches.extraEntries.splice(0, 1, { type: "file", path: "a.bin", size: 1, oid: "../x" });
    expect(await failureOf(ask())).toMatchObject({ code: "protocol" });
  });

  it("SEC-12 does not follow the next page to another host", async () => {
    const other = await startFakeHub([model]);
    hub.switches.pageSize = 1;
    hub.switches.nextPage = `${other.endpoint}/api/models/org/model/tree/${model.commit}`;
    expect(await failureOf(ask({}, { token: () => "hf_secret" }))).toMatchObject({ code: "protocol" });
    expect(other.requests).toHaveLength(0);
    await other.close();
  });

  it("a list that leads back to itself ends", async () => {
    hub.switches.pageSize = 1;
    hub.switches.nextPage = `${hub.endpoint}/api/models/org/model/tree/${model.commit}?recursive=true&expand=false`;
    expect(await failureOf(ask())).toMatchObject({ code: "protocol" });
  });

  it.each(["../x", "a/b/c", "org/na me", "org/--x", "-x/y", ""])("the repository name %j is asked of nobody", async (repo) => {
    expect(await failureOf(ask({ repo }))).toMatchObject({ code: "invalid-input" });
    expect(hub.requests).toHaveLength(0);
  });
});
