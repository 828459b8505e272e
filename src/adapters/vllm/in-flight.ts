/** Gauges of running and waiting requests: vLLM, LMDeploy and llama.cpp. */
const gauges =
  /^(?:vllm:num_requests_(?:running|waiting)|lmdeploy:num_requests_(?:running|waiting)|llamacpp:requests_(?:processing|deferred))(?:\{.*\})?\s+([0-9.eE+-]+)/gm;

/** Requests that are being answered or wait, from a Prometheus text; undefined when none of the known gauges is in it. */
export function inFlightOf(metrics: string): number | undefined {
  const values = [...metrics.matchAll(gauges)].map((match) => Number(match[1]));
  return values.length === 0 || values.some((value) => Number.isNaN(value)) ? undefined : values.reduce((sum, value) => sum + value, 0);
}
