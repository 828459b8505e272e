import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attemptVerdict, attemptsOf, withFailure, withoutFailures } from "../../../src/domain/activation/attempts.ts";
import { decideServing, type ServingQuestion, type Wanted } from "../../../src/domain/activation/decision.ts";
import { launchOf } from "../../../src/domain/activation/launch.ts";
import { phaseOfLine, decisiveLines, reasonInLog, startFailureKind } from "../../../src/domain/activation/log.ts";
import { decodeRecord, encodeRecord } from "../../../src/domain/activation/record.ts";
import {
  emptyRecord,
  sameTarget,
  type ActivationObservation,
  type ActivationRecord,
  type ProcessFacts,
  type ServingTarget,
} from "../../../src/domain/activation/activation.ts";
import { stateFileOwner } from "../../../src/domain/activation/active-state.ts";
import type { Backend } from "../../../src/domain/backend.ts";
import type { Model } from "../../../src/domain/model.ts";
import type { Holding, ServingObservation } from "../../../src/domain/observed.ts";
import { backendOf, modelOf } from "../../fakes/content.ts";

const backend = backendOf("gpu", { type: "vllm", url: "http://127.0.0.1:24001", active: { kind: "model", name: "qwen" } });
const now = "2026-11-21T12:00:00.000Z";

function later(ms: number): string {
  return new Date(Date.parse(now) + ms).toISOString();
}

function folder(files: Readonly<Record<string, string>>, options: Partial<Holding> = {}): Holding {
  const artifacts = Object.entries(files).map(
    ([path, sha256]) => ({ path, size: 10, blob: path, found: { state: "present", level: "full", sha256, verifiedAt: now } }) as const,
  );
  return { store: "directory", ref: "/models/qwen", names: [], artifacts, facts: { capabilities: {} }, location: "/models/qwen", ...options };
}

function targetOf(model: Model = declared(), holding: Holding = folder({ "config.json": "c" }), at: Backend = backend): ServingTarget {
  const launch = launchOf(at, model, holding);
  if ("problem" in launch) throw new Error(launch.problem);
  return launch.target;
}

function declared(changes: Partial<Model> = {}): Model {
  return modelOf("qwen", { kind: "path", dir: "/models/qwen" }, { backend: "gpu", ...changes });
}

describe("what is started", () => {
  it("S1.45 puts the model first, names host, port and id, and lets the declared arguments win", () => {
    const model = declared({
      servedModelId: "team/qwen",
      launch: { args: ["--max-model-len", "4096"], env: { A: "model" }, chatTemplate: "/t.jinja" },
    });
    const target = targetOf(model, folder({ "config.json": "c" }), {
      ...backend,
      launch: { command: ["vllm"], env: { A: "backend", B: "backend" } },
    });
    expect(target.argv).toEqual([
      "vllm",
      "serve",
      "/models/qwen",
      "--host",
      "127.0.0.1",
      "--port",
      "24001",
      "--served-model-name",
      "team/qwen",
      "--chat-template",
      "/t.jinja",
      "--max-model-len",
      "4096",
    ]);
    expect(target).toMatchObject({
      servedId: "team/qwen",
      root: "/models/qwen",
      env: { A: "model", B: "backend" },
      files: ["/models/qwen", "/t.jinja"],
    });
  });

  it("S1.45 speaks the older entry point, LMDeploy and llama.cpp", () => {
    const module = { ...backend, launch: { command: ["python3", "-m", "vllm.entrypoints.openai.api_server"], env: {} } };
    expect(targetOf(declared(), folder({ a: "a" }), module).argv.slice(3, 5)).toEqual(["--model", "/models/qwen"]);
    const lmdeploy = targetOf(declared(), folder({ a: "a" }), { ...backend, type: "lmdeploy" });
    expect(lmdeploy.argv).toEqual([
      "lmdeploy",
      "serve",
      "api_server",
      "/models/qwen",
      "--server-name",
      "127.0.0.1",
      "--server-port",
      "24001",
      "--model-name",
      "qwen",
    ]);
    expect(lmdeploy.root).toBeUndefined();
    const shards = { "q-00002-of-00002.gguf": "b", "q-00001-of-00002.gguf": "a", "mmproj-f16.gguf": "m" };
    expect(targetOf(declared(), folder(shards), { ...backend, type: "gguf" }).argv).toEqual([
      "llama-server",
      "-m",
      "/models/qwen/q-00001-of-00002.gguf",
      "--host",
      "127.0.0.1",
      "--port",
      "24001",
      "--alias",
      "qwen",
    ]);
  });

  it.each<[string, Partial<Backend>, Partial<Model>, Holding, RegExp]>([
    ["Ollama models", {}, {}, folder({}, { store: "ollama:local" }), /Ollama store/],
    ["several GGUF files", { type: "gguf" }, {}, folder({ "a.gguf": "a", "b.gguf": "b" }), /several GGUF files: a.gguf, b.gguf/],
    ["no GGUF file", { type: "gguf" }, {}, folder({ "a.bin": "a" }), /no GGUF file/],
    ["HTTPS addresses", { url: "https://127.0.0.1:1" }, {}, folder({}), /not plain HTTP/],
    ["addresses behind a path", { url: "http://127.0.0.1:1/llm" }, {}, folder({}), /has a path/],
    ["ids that look like options", {}, { servedModelId: "-x" }, folder({}), /starts with a dash/],
    ["arguments of Holdfast's own", {}, { launch: { args: ["--served-model-name=x"], env: {} } }, folder({}), /sets --served-model-name/],
    ["unknown places", {}, {}, folder({}, { location: "relative" }), /not known where/],
  ])("SEC-17 refuses %s", (_, change, model, holding, message) => {
    expect(launchOf({ ...backend, ...change }, declared(model), holding)).toMatchObject({ problem: expect.stringMatching(message) });
  });

  it("is another target when arguments, variables or bytes change, and the same when only more was hashed or locked", () => {
    const base = targetOf();
    expect(sameTarget(base, targetOf(declared({ launch: { args: ["--dtype", "auto"], env: {} } })))).toBe(false);
    expect(sameTarget(base, targetOf(declared({ launch: { args: [], env: { A: "1" } } })))).toBe(false);
    expect(sameTarget(base, targetOf(declared(), folder({ "config.json": "d" })))).toBe(false);
    expect(sameTarget(base, targetOf(declared(), folder({ "config.json": "c", more: "m" })))).toBe(false);
    const unhashed = folder({ "config.json": "c" });
    const presence = {
      ...unhashed,
      artifacts: unhashed.artifacts.map((artifact) => ({ ...artifact, found: { state: "present", level: "presence" } }) as const),
    };
    expect(sameTarget(base, targetOf(declared(), presence))).toBe(true);
    const commit = folder({ "config.json": "c" }, { contentId: "1".repeat(40) });
    expect(sameTarget(targetOf(declared(), commit), targetOf(declared(), { ...commit, contentId: "2".repeat(40) }))).toBe(false);
  });

  it("S1.47 gives the state file to one backend", () => {
    const none = { kind: "none" } as const;
    const others = [
      backendOf("a", { type: "lmdeploy", active: none }),
      backendOf("b", { type: "vllm", active: none }),
      backendOf("c", { type: "vllm", active: none }),
    ];
    expect(stateFileOwner(others)?.metadata.name).toBe("b");
    expect(stateFileOwner([backendOf("o"), backendOf("v", { type: "vllm" })])?.metadata.name).toBe("v");
    expect(stateFileOwner([backendOf("o")])).toBeUndefined();
  });
});

const leader = { pid: 100, started: "boot:1" };
const instance = "scope.digest.id";

function live(changes: Partial<ProcessFacts> = {}): ProcessFacts {
  return { ...leader, parent: 1, group: 100, session: 100, startedAt: now, command: ["vllm", "serve"], instance, ...changes };
}

function recordOf(target: ServingTarget, changes: Partial<ActivationRecord> = {}): ActivationRecord {
  const committed = { target, instance, leader, port: 24001, log: "/log", spawnedAt: now, committedAt: now };
  return { ...emptyRecord("gpu", 24001, 1000), committed, ...changes };
}

type Seen = Extract<ActivationObservation, { state: "observed" }>;

function seen(changes: Partial<Seen> = {}): Seen {
  return { state: "observed", backend: "gpu", record: emptyRecord("gpu", 24001, 1000), ours: [], listening: false, strangers: [], ...changes };
}

function serves(target: ServingTarget, changes: Partial<Extract<ServingObservation, { state: "serving" }>> = {}): ServingObservation {
  return {
    state: "serving",
    backend: "gpu",
    healthy: true,
    models: [{ id: target.servedId, ...(target.root === undefined ? {} : { root: target.root }) }],
    ...changes,
  };
}

const wanted: Wanted = { state: "ready", target: targetOf() };
const other = targetOf(modelOf("other", { kind: "path", dir: "/models/qwen" }, { backend: "gpu" }));
const down: ServingObservation = { state: "down", backend: "gpu" };

function question(changes: Partial<ServingQuestion> = {}): ServingQuestion {
  return { backend, wanted, observation: seen(), serving: down, now, ...changes };
}

const running = (target: ServingTarget, changes: Partial<Seen> = {}): Seen =>
  seen({ record: recordOf(target), ours: [live()], listening: true, ...changes });

describe("deciding", () => {
  const target = targetOf();

  it.each<[string, Partial<ServingQuestion>, string]>([
    ["nothing serves", {}, "activate: nothing serves; it has 15 min to start, its start was never timed here"],
    ["it serves already", { observation: running(target), serving: serves(target) }, "nothing"],
    [
      "another model serves",
      { observation: running(other), serving: serves(other) },
      "activate: serves other instead of qwen; up to 16 min without service, its start was never timed here",
    ],
    [
      "its server died",
      { observation: seen({ record: recordOf(target, { timings: [{ model: "qwen", start: 20_000, withoutService: 23_400 }] }) }) },
      "activate: the server of qwen (pid 100) is not running any more, try 2 of 3; it starts in about 20 s, as last time",
    ],
    [
      "its engine is dead",
      { observation: running(target), serving: serves(target, { healthy: false }) },
      "activate: the server of qwen is not healthy; up to 16 min without service, its start was never timed here",
    ],
    [
      "it serves other files under its id",
      { observation: running(target), serving: serves(target, { models: [{ id: "qwen", root: "/other" }] }) },
      "activate: the server of qwen serves /other as qwen instead of /models/qwen; up to 16 min without service, its start was never timed here",
    ],
    [
      "only its worker is left",
      { observation: seen({ record: recordOf(target), ours: [live({ pid: 101 })] }) },
      "activate: the server of qwen (pid 100) is not running any more, try 2 of 3; it has 15 min to start, its start was never timed here",
    ],
    [
      "an interrupted stop",
      {
        observation: running(target, { record: recordOf(target, { pending: { phase: "stopping", purpose: "switch", since: now } }) }),
        serving: serves(target),
      },
      "activate: qwen was being stopped when the last switch was interrupted; up to 16 min without service, its start was never timed here",
    ],
    [
      "something else left behind",
      { observation: running(target, { ours: [live(), live({ pid: 200, instance: "scope.other.id" })] }), serving: serves(target) },
      "activate: it serves; what an interrupted switch left behind has to be cleared away",
    ],
    [
      "the state file is gone",
      { observation: running(target, { stateFile: "absent" }), serving: serves(target) },
      "activate: it serves; the state file is absent and has to be written",
    ],
    ["nothing may serve and nothing does", { wanted: { state: "nothing" } }, "nothing"],
    [
      "nothing may serve and something does",
      { wanted: { state: "nothing" }, observation: running(target), serving: serves(target) },
      "deactivate: nothing may be served; qwen is",
    ],
    [
      "it was declared with a model that cannot be served",
      { wanted: { state: "unservable", model: "qwen", cause: "missing", reason: "not here" } },
      "blocked: not here",
    ],
    [
      "the same while the previous one is down",
      { wanted: { state: "unservable", model: "qwen", cause: "missing", reason: "not here" }, observation: seen({ record: recordOf(other) }) },
      "restore: nothing serves; other served last and is put back | blocked: not here",
    ],
  ])("S1.11 when %s", (_, changes, expected) => {
    const { step, obstacle } = decideServing(question(changes));
    const parts = [
      ...(step === undefined ? [] : [`${step.verb}: ${step.reason}`]),
      ...(obstacle === undefined ? [] : [`blocked: ${obstacle.reason}`]),
    ];
    expect(parts.join(" | ") || "nothing").toBe(expected);
  });

  it("S1.11 acts on nothing that it cannot see", () => {
    const failure = { code: "timeout", retry: "transient", message: "no answer" } as const;
    expect(decideServing(question({ observation: undefined }))).toMatchObject({ obstacle: { cause: "unknown" } });
    expect(decideServing(question({ observation: { state: "unknown", backend: "gpu", failure } }))).toMatchObject({
      obstacle: { cause: "unknown", reason: "no answer" },
    });
    const silent = decideServing(question({ observation: running(other), serving: { state: "unknown", backend: "gpu", failure } }));
    expect(silent.step).toBeUndefined();
    expect(silent.obstacle).toMatchObject({ cause: "unknown", failure });
  });

  const stranger = live({ pid: 4242, command: ["python", "theirs"] });

  it("S1.11 leaves a stranger's server alone, unless the backend adopts it or it serves just what is declared", () => {
    const theirs = seen({ strangers: [stranger], listening: true });
    expect(decideServing(question({ observation: theirs, serving: serves(other) }))).toMatchObject({
      obstacle: { cause: "backend", reason: "pid 4242 (python theirs) has the port of http://127.0.0.1:24001, and Holdfast did not start it" },
    });
    expect(decideServing(question({ observation: theirs, serving: serves(target) }))).toEqual({});
    expect(decideServing(question({ observation: theirs, serving: serves(other), backend: { ...backend, adopt: true } })).step?.verb).toBe(
      "activate",
    );
    expect(decideServing(question({ wanted: { state: "nothing" }, observation: theirs, backend: { ...backend, adopt: true } })).step?.verb).toBe(
      "deactivate",
    );
    const hidden = decideServing(question({ observation: seen({ listening: true }), backend: { ...backend, adopt: true } }));
    expect(hidden.obstacle?.reason).toContain("a process of another user has the port");
    expect(hidden.step).toBeUndefined();
  });

  it("F17 gives up after maxAttempts, waits between tries while something serves, and puts the previous model back when nothing does", () => {
    const failedOnce = withFailure(recordOf(other), target, { lastFailedAt: now, reason: "out of memory", lines: [] });
    const once = { observation: running(other, { record: failedOnce }), serving: serves(other) };
    expect(decideServing(question({ ...once, now: later(29_000) })).obstacle?.reason).toBe(
      `starting qwen failed once (out of memory); next try after ${later(30_000)}`,
    );
    expect(decideServing(question({ ...once, now: later(30_000) })).step?.reason).toContain("try 2 of 3");
    const thrice = withFailure(withFailure(failedOnce, target, { lastFailedAt: now, reason: "x", lines: [] }), target, {
      lastFailedAt: now,
      reason: "out of memory",
      lines: [],
    });
    const exhausted = decideServing(question({ observation: running(other, { record: thrice }), serving: serves(other), now: later(86_400_000) }));
    expect(exhausted).toEqual({
      obstacle: {
        cause: "backend",
        reason: "starting qwen on gpu failed 3 times, no more tries: out of memory",
        remedy: "change what qwen is started with, or: holdfast activate-model qwen",
      },
    });
    const alone = decideServing(question({ observation: seen({ record: thrice }) }));
    expect(alone.step).toMatchObject({ verb: "restore", target: { model: "other" } });
    expect(
      decideServing(
        question({ observation: seen({ record: thrice }), backend: { ...backend, activation: { ...backend.activation, rollback: false } } }),
      ).step,
    ).toBeUndefined();
  });

  it("F17 counts an early death of a proven server, and forgets it after a long life", () => {
    const record = recordOf(target);
    const young = { now: later(60_000), ours: [] };
    expect(attemptsOf(record, target, young)?.failures).toBe(1);
    expect(attemptsOf(record, target, { ...young, now: later(3_600_000) })).toBeUndefined();
    expect(attemptsOf(record, target, { ...young, ours: [live()] })).toBeUndefined();
    const twice = withFailure(withFailure(record, target, { lastFailedAt: now, reason: "died", lines: [] }), target, {
      lastFailedAt: now,
      reason: "died",
      lines: [],
    });
    expect(attemptVerdict(twice, target, { ...young, maxAttempts: 3, served: false })).toMatchObject({ kind: "exhausted", failures: 3 });
    expect(attemptVerdict(withoutFailures(twice, target), target, { ...young, maxAttempts: 3, served: false })).toEqual({
      kind: "allowed",
      failures: 1,
    });
  });

  it("S1.11 never acts when processes or endpoint are unknown, whatever else is true", () => {
    const wants: fc.Arbitrary<Wanted> = fc.constantFrom(
      wanted,
      { state: "nothing" } as const,
      { state: "unservable", model: "qwen", cause: "missing", reason: "r" } as const,
    );
    fc.assert(
      fc.property(wants, fc.boolean(), fc.constantFrom(running(other), running(target), seen()), (want, adopt, observation) => {
        const failure = { code: "timeout", retry: "transient", message: "m" } as const;
        const unseen = decideServing(
          question({ wanted: want, backend: { ...backend, adopt }, observation: { state: "unknown", backend: "gpu", failure } }),
        );
        expect(unseen.step).toBeUndefined();
        const silent = decideServing(
          question({ wanted: want, backend: { ...backend, adopt }, observation, serving: { state: "unknown", backend: "gpu", failure } }),
        );
        if (observation.ours.length > 0 && want.state !== "nothing") expect(silent.step).toBeUndefined();
      }),
    );
  });
});

describe("the log", () => {
  it.each([
    ["(EngineCore pid=12) INFO 11-21 09:00:00 [x.py:1] Starting to load model /m...", "loading weights"],
    ["Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01]", "loading weights, shard 2/4"],
    ["INFO GPU KV cache size: 1,024 tokens", "reserving the cache"],
    ["(APIServer pid=1) INFO Starting vLLM server on http://127.0.0.1:8000", "opening the port"],
    ["nothing of interest", undefined],
  ])("shows %s", (line, phase) => {
    expect(phaseOfLine(line)).toBe(phase);
  });

  it("S1.79 finds the root cause and not the line that points to it", () => {
    const log = [
      "(EngineCore pid=7) ERROR 11-21 09:00:01 [core.py:700] Traceback (most recent call last):",
      "(EngineCore pid=7) ERROR 11-21 09:00:01 [core.py:700] ValueError: Free memory on device (2/24 GiB) is less than desired GPU memory utilization",
      "(APIServer pid=5) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
      "\u001b[31m(APIServer pid=5) done\u001b[0m",
    ].join("\n");
    expect(reasonInLog(log)).toBe("ValueError: Free memory on device (2/24 GiB) is less than desired GPU memory utilization");
    expect(startFailureKind(1, log)).toBe("gpu-busy");
    expect(startFailureKind(2, "vllm: error: unrecognized arguments: --x")).toBe("launch-config");
    expect(startFailureKind(1, "ImportError: libcudart.so")).toBe("other");
    const invalid = [
      "(APIServer pid=9) WARNING 11-21 10:16:03 [system_utils.py:1] Found ulimit of 20000. This can cause fd limit errors like `OSError: [Errno 24]`",
      "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
      "  Value error, User-specified max_model_len (100000) is greater than the derived max_model_len",
      "    For further information visit https://errors.pydantic.dev/2.14/v/value_error",
    ].join("\n");
    expect(reasonInLog(invalid)).toBe("Value error, User-specified max_model_len (100000) is greater than the derived max_model_len");
    expect(reasonInLog("hello\n\nlast words\n")).toBe("last words");
    expect(reasonInLog("")).toBeUndefined();
  });

  it("S1.79 finds the reason above the tracebacks of those that only noticed, and keeps its lines", () => {
    const worker = "(Worker pid=81) ERROR 11-21 12:12:30 [multiproc_executor.py:953] ";
    const core = "(EngineCore pid=72) ERROR 11-21 12:12:32 [core.py:1510] ";
    const reason = "safetensors._safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered";
    const pointer = "Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.";
    const log = [
      `${worker}Traceback (most recent call last):`,
      `${worker}  File "/site-packages/vllm/weight_utils.py", line 1208, in safetensors_weights_iterator`,
      `${worker}    with safe_open(path, framework="pt") as f:`,
      worker + reason,
      "(EngineCore pid=72) INFO 11-21 12:12:32 [multiproc_executor.py:486] all workers exited, GPU memory usage: 1 GiB",
      `${core}EngineCore failed to start.`,
      core + pointer,
      ...Array.from({ length: 60 }, (_, index) => `  File "/site-packages/vllm/layer.py", line ${index}, in forward`),
      pointer,
      "    raise RuntimeError(",
      "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
    ].join("\n");
    expect(reasonInLog(log)).toBe(reason);
    expect(startFailureKind(1, log)).toBe("other");
    expect(decisiveLines(log, 8)).toEqual([
      `${worker}  File "/site-packages/vllm/weight_utils.py", line 1208, in safetensors_weights_iterator`,
      `${worker}    with safe_open(path, framework="pt") as f:`,
      worker + reason,
      "[... 62 lines]",
      '  File "/site-packages/vllm/layer.py", line 59, in forward',
      pointer,
      "    raise RuntimeError(",
      "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
    ]);
    expect(decisiveLines("one\n\ntwo\nthree\n", 2)).toEqual(["two", "three"]);
  });
});

describe("the record", () => {
  it("is read back as it was written", () => {
    const base = targetOf(declared({ launch: { args: ["--x", "\u0001 '\""], env: { __proto__: "p", A: "1" } } }));
    const loading = {
      phase: "loading",
      purpose: "restore",
      since: now,
      target: base,
      instance,
      leader,
      log: "/log",
      spawnedAt: now,
      gpuBaseline: { "0": 12 },
    } as const;
    const full: ActivationRecord = {
      ...withFailure(recordOf(base, { pending: loading, timings: [{ model: "qwen", start: 1, withoutService: 2 }] }), other, {
        lastFailedAt: now,
        reason: "r",
        lines: ["l"],
      }),
      condition: { status: "False", reason: "StartFailed", message: "m", at: now },
    };
    for (const record of [full, emptyRecord("gpu", 1, 2), recordOf(other, { pending: { phase: "stopping", purpose: "stop", since: now } })])
      expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  it("is refused with the name of what is wrong, whatever is in the file", () => {
    expect(() => decodeRecord('{"formatVersion":"1.0","backend":5}')).toThrow("record.backend is not a text");
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(() => decodeRecord(text)).toThrow(Error);
      }),
    );
  });
});
