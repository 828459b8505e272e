import type { Backend } from "../domain/backend.ts";
import type { ServingReader } from "../ports/serving-backend.ts";
import type { Settings } from "../settings.ts";

/** Readers of the declared serving endpoints. */
export async function connectServing(backends: readonly Backend[], settings: Settings): Promise<readonly ServingReader[]> {
  const serving = backends.filter((backend) => backend.type !== "ollama" && backend.url !== undefined);
  if (serving.length === 0) return [];
  const { createServingReader } = await import("../adapters/vllm/serving-reader.ts");
  return serving.map((backend) =>
    createServingReader({ backend: backend.metadata.name, url: backend.url ?? "", timeoutMs: settings.timeouts.observe }),
  );
}
