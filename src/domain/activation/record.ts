import type {
  Activated,
  ActivationRecord,
  ActiveCondition,
  Attempts,
  ProcessIdentity,
  ServingTarget,
  SwitchTiming,
  Transaction,
} from "./activation.ts";
import { Fields } from "./fields.ts";
import { canonicalJson } from "../json.ts";
import type { StoreId } from "../observed.ts";

/** The bytes of a record's file. */
export function encodeRecord(record: ActivationRecord): string {
  return `${canonicalJson(record)}\n`;
}

/** Reads a record's file; throws a plain Error naming the first thing that is wrong. */
export function decodeRecord(text: string): ActivationRecord {
  const value: unknown = JSON.parse(text);
  const fields = new Fields("record", value);
  if (fields.text("formatVersion") !== "1.0") throw new Error("formatVersion is not 1.0");
  const committed = fields.optional("committed", decodeActivated);
  const pending = fields.optional("pending", decodeTransaction);
  const condition = fields.optional("condition", decodeCondition);
  return {
    formatVersion: "1.0",
    backend: fields.text("backend"),
    port: fields.number("port"),
    stopTimeout: fields.number("stopTimeout"),
    ...(committed === undefined ? {} : { committed }),
    ...(pending === undefined ? {} : { pending }),
    attempts: fields.list("attempts", decodeAttempts),
    ...(condition === undefined ? {} : { condition }),
    timings: fields.list("timings", decodeTiming),
  };
}

function decodeActivated(fields: Fields): Activated {
  return {
    target: fields.inner("target", decodeTarget),
    instance: fields.text("instance"),
    leader: fields.inner("leader", decodeProcess),
    port: fields.number("port"),
    log: fields.text("log"),
    spawnedAt: fields.text("spawnedAt"),
    committedAt: fields.text("committedAt"),
    ...decodeBaseline(fields),
  };
}

function decodeBaseline(fields: Fields): Pick<Activated, "gpuBaseline"> {
  const gpuBaseline = fields.optional("gpuBaseline", (baseline) => baseline.map((name) => baseline.number(name)));
  return gpuBaseline === undefined ? {} : { gpuBaseline };
}

function decodeTransaction(fields: Fields): Transaction {
  const since = fields.text("since");
  const purpose = fields.oneOf("purpose", ["switch", "restore", "stop"]);
  const phase = fields.oneOf("phase", ["stopping", "starting", "loading"]);
  if (phase === "stopping") {
    const target = fields.optional("target", decodeTarget);
    return { phase, purpose, since, ...(target === undefined ? {} : { target }) };
  }
  if (purpose === "stop") throw new Error("a stop does not start anything");
  const target = fields.inner("target", decodeTarget);
  const started = { purpose, since, target, instance: fields.text("instance"), log: fields.text("log"), ...decodeBaseline(fields) };
  if (phase === "starting") return { phase, ...started };
  return { phase, ...started, leader: fields.inner("leader", decodeProcess), spawnedAt: fields.text("spawnedAt") };
}

function decodeProcess(fields: Fields): ProcessIdentity {
  return { pid: fields.number("pid"), started: fields.text("started") };
}

const stores = /^(?:huggingface|directory|ollama:.+)$/;

function isStore(text: string): text is StoreId {
  return stores.test(text);
}

function decodeTarget(fields: Fields): ServingTarget {
  const root = fields.optionalText("root");
  const source = fields.optional("source", decodeSource);
  const contentDigest = fields.optionalText("contentDigest");
  return {
    model: fields.text("model"),
    servedId: fields.text("servedId"),
    ...(root === undefined ? {} : { root }),
    ...(source === undefined ? {} : { source }),
    content: fields.text("content"),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    argv: fields.texts("argv"),
    env: fields.inner("env", (env) => env.map((name) => env.text(name))),
    files: fields.texts("files"),
    digest: fields.text("digest"),
  };
}

function decodeSource(fields: Fields): { readonly store: StoreId; readonly ref: string } {
  const store = fields.text("store");
  if (!isStore(store)) throw new Error(`${store} is not a store`);
  return { store, ref: fields.text("ref") };
}

function decodeAttempts(fields: Fields): Attempts {
  const contentDigest = fields.optionalText("contentDigest");
  return {
    digest: fields.text("digest"),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    failures: fields.number("failures"),
    lastFailedAt: fields.text("lastFailedAt"),
    reason: fields.text("reason"),
    lines: fields.texts("lines"),
  };
}

function decodeCondition(fields: Fields): ActiveCondition {
  return {
    status: fields.oneOf("status", ["True", "False", "Unknown"]),
    reason: fields.oneOf("reason", ["Serving", "StartFailed", "RollbackFailed", "Stopped"]),
    message: fields.text("message"),
    at: fields.text("at"),
  };
}

function decodeTiming(fields: Fields): SwitchTiming {
  return { model: fields.text("model"), start: fields.number("start"), withoutService: fields.number("withoutService") };
}
