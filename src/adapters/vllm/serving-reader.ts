import { failed, toFailure, type Failure } from "../../domain/failure.ts";
import type { ServingObservation } from "../../domain/observed.ts";
import type { ServingReader } from "../../ports/serving-backend.ts";
import { askServer, serverAddress, type ServerAddress, type ServerAnswer } from "./ask-server.ts";
import { decodeModels, decodeVersion } from "./decode-serving.ts";

/** One serving endpoint to read. */
export interface ServingReaderOptions {
  /** Name of the Backend. */
  readonly backend: string;
  /** With or without `/v1` at its end. */
  readonly url: string;
  readonly timeoutMs?: number;
  /** Needed for `/v1/models` where the server was started with a key. */
  readonly apiKey?: string;
}

/**
 * Reads any server that speaks OpenAI's `/v1/models`: vLLM, LMDeploy, llama.cpp and remote ones. They differ in nothing that is read here: all answer
 * `/health` with 200 or 503 (a remote one may not have it), and `/version` exists or does not.
 */
export function createServingReader({ backend, url, timeoutMs = 3_000, apiKey }: ServingReaderOptions): ServingReader {
  return {
    backend,
    observe: async (signal) => {
      signal.throwIfAborted();
      const server = addressOf(url, timeoutMs, apiKey);
      if ("code" in server) return { state: "unknown", backend, failure: server };
      const [models, health, version] = await Promise.all(["/v1/models", "/health", "/version"].map((path) => askServer(server, path, signal)));
      if (models === undefined || health === undefined || version === undefined) throw new Error("three questions have three answers");
      return evaluate({ backend, address: server.url }, { models, health, version });
    },
  };
}

/** One address that cannot be used must not keep the others from being read. */
function addressOf(url: string, timeoutMs: number, apiKey: string | undefined): ServerAddress | Failure {
  try {
    return serverAddress(url, timeoutMs, apiKey);
  } catch (error) {
    return toFailure(error);
  }
}

function evaluate(
  { backend, address }: { readonly backend: string; readonly address: string },
  { models, health, version }: { readonly models: ServerAnswer; readonly health: ServerAnswer; readonly version: ServerAnswer },
): ServingObservation {
  if (models.kind === "refused") return { state: "down", backend };
  if (models.kind === "failed") return { state: "unknown", backend, failure: models.failure };
  const known = version.kind === "answer" && version.status === 200 ? decodeVersion(version.body) : undefined;
  const serving = { state: "serving", backend, healthy: isHealthy(health), ...(known === undefined ? {} : { version: known }) } as const;
  // llama.cpp answers like this while it loads: somebody is there, nothing is served yet.
  if (models.status === 503) return { ...serving, models: [], healthy: false };
  const decoded = models.status === 200 ? decodeModels(models.body) : undefined;
  if (decoded === undefined) return { state: "unknown", backend, failure: refusal(models.status, address) };
  return { ...serving, models: decoded };
}

function isHealthy(health: ServerAnswer): boolean {
  return health.kind === "answer" && (health.status === 200 || health.status === 404);
}

function refusal(status: number, address: string): Failure {
  const asked = `GET /v1/models: ${address} answered ${status}`;
  if (status === 401 || status === 403)
    return failed("unauthorized", asked, { remedy: "name the variable that holds its API key in apiKeyEnv of the Backend, and set it" }).failure;
  if (status === 429 || status >= 500) return failed("upstream", asked, { retry: "transient" }).failure;
  return failed("protocol", `${asked}, and not with a list of models`, {
    remedy: "check that the Backend's url is the address of an OpenAI-compatible server",
  }).failure;
}
