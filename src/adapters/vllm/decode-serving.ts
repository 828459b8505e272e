import type { ServingObservation } from "../../domain/observed.ts";

type ServedModels = Extract<ServingObservation, { state: "serving" }>["models"];

/** Decodes the answer of `/v1/models`, or undefined when it is something else. Fields that change with every call are not looked at. */
export function decodeModels(body: unknown): ServedModels | undefined {
  if (!isRecord(body) || !Array.isArray(body["data"])) return undefined;
  const models = body["data"].map(decodeModel);
  return models.every((model) => model !== undefined) ? models : undefined;
}

/** Decodes the answer of `/version`. */
export function decodeVersion(body: unknown): string | undefined {
  return isRecord(body) && typeof body["version"] === "string" ? body["version"] : undefined;
}

function decodeModel(entry: unknown): ServedModels[number] | undefined {
  if (!isRecord(entry)) return undefined;
  const { id, root, max_model_len: maxModelLen } = entry;
  if (typeof id !== "string" || id === "") return undefined;
  return {
    id,
    ...(typeof root === "string" && root !== "" ? { root } : {}),
    ...(typeof maxModelLen === "number" && Number.isSafeInteger(maxModelLen) ? { maxModelLen } : {}),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
