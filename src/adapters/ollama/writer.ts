import type { RemoveRequest, TagRequest } from "../../domain/action.ts";
import { failed, HoldfastError } from "../../domain/failure.ts";
import { canonicalOllamaName, parseOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import type { ModelWriter, WriteContext } from "../../ports/model-store.ts";
import { createOllamaApi } from "./api.ts";
import { createOneAtATime } from "./one-at-a-time.ts";
import { readListedName } from "./names.ts";
import { pullModel } from "./pull-model.ts";
import { createRegistryClient } from "./registry-client.ts";
import { removeModel } from "./remove-model.ts";
import { repairModel } from "./repair-model.ts";
import { defaultRetry } from "./retrying.ts";
import { removeHelpers, removeStaleHelpers } from "./stale-helpers.ts";
import { tagModel } from "./tag-model.ts";
import type { OllamaWriterOptions, WriterSide } from "./writer-side.ts";

const publicHosts = new Set(["registry.ollama.ai", "ollama.com", "hf.co", "huggingface.co"]);
const defaultUnloadTimeout = 60_000;

/** Changes an Ollama server. Ollama does not coordinate pulls with deletions, so one operation at a time. */
export function createOllamaWriter(options: OllamaWriterOptions): ModelWriter {
  const insecureHost = (host: string): boolean => options.insecureRegistry === true && !publicHosts.has(host.toLowerCase());
  const { dispatcher } = options;
  const side: WriterSide = {
    retry: defaultRetry,
    unloadTimeoutMs: defaultUnloadTimeout,
    ...options,
    api: createOllamaApi(options),
    registry: createRegistryClient({ insecure: insecureHost, ...(dispatcher === undefined ? {} : { dispatcher }) }),
    insecure: (name) => insecureHost(name.host),
    oneAtATime: createOneAtATime(),
  };
  return {
    store: options.store,
    concurrency: 1,
    async pull(request, context) {
      if (request.kind !== "ollama") throw failed("unsupported", "an Ollama server does not fetch Hub repositories");
      const name = requireName(request.model);
      return carryOut(side, { what: `the pull of ${request.model}`, wanted: request.digest }, context, () => pullModel(side, name, request, context));
    },
    async repair(request, context) {
      if (request.kind !== "ollama") throw failed("unsupported", "an Ollama server does not fetch Hub repositories");
      const name = requireName(request.model);
      const operation = { what: `the repair of ${request.model}`, wanted: request.digest };
      return carryOut(side, operation, context, () => repairModel(side, name, request, context));
    },
    async tag(request: TagRequest, context: WriteContext): Promise<Holding> {
      const [from, to] = [requireName(request.from), requireName(request.to)];
      const tagging = { digest: request.digest, signal: context.signal };
      return carryOut(side, { what: `the copy to ${request.to}` }, context, () => tagModel(side, from, to, tagging));
    },
    async remove(request: RemoveRequest, context: WriteContext) {
      const name = requireListed(request.ref);
      return carryOut(side, { what: `the removal of ${request.ref}` }, context, () => removeModel(side, name, request, context));
    },
  };
}

interface Operation {
  readonly what: string;
  /** Digest of the content that it brings. */
  readonly wanted?: string | undefined;
}

async function carryOut<T>(side: WriterSide, { what, wanted }: Operation, { signal }: WriteContext, work: () => Promise<T>): Promise<T> {
  try {
    return await side.oneAtATime(async () => {
      const spared = await removeStaleHelpers(side, wanted, signal);
      const result = await work();
      await removeHelpers(side, spared);
      return result;
    }, signal);
  } catch (error) {
    if (!signal.aborted || (error instanceof HoldfastError && error.failure.code === "cancelled")) throw error;
    throw failed("cancelled", `${what} was cancelled`, { retry: "transient", cause: error });
  }
}

function requireName(text: string): OllamaName {
  const parsed = parseOllamaName(text);
  if ("name" in parsed) return parsed.name;
  throw failed("invalid-input", `${JSON.stringify(text)}: ${parsed.problem}`, { remedy: parsed.remedy });
}

/** Stubs may be removed; a tag `local` cannot, because the server drops that word and would delete another model. */
function requireListed(ref: string): OllamaName {
  const name = readListedName(ref);
  if (name === undefined) throw failed("invalid-input", `${JSON.stringify(ref)} is not an Ollama model name`);
  if (name.tag.toLowerCase() !== "local") return name;
  throw failed("unsupported", `${canonicalOllamaName(name)} cannot be removed through the server: it reads the tag \`local\` as another model`, {
    remedy: "remove its manifest file by hand",
  });
}
