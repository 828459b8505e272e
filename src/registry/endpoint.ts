import type { Backend } from "../domain/backend.ts";

/** Where a backend listens, in the words of `backend_config`. */
export interface Endpoint {
  readonly port: number;
  readonly host?: string;
  readonly base_url?: string;
}

const defaultPorts: Readonly<Record<Backend["type"], number>> = { ollama: 11434, vllm: 24001, lmdeploy: 24001, gguf: 8080, openai: 0 };

/** Names of backend types in registry files. */
export function registryBackend(backend: Backend | undefined): string {
  if (backend === undefined) return "unassigned";
  return backend.type === "openai" ? "remote" : backend.type;
}

/** The endpoint of a backend; one that is not plain `http://host:port` is given as a whole, with the `/v1` that clients expect. */
export function endpointOf(backend: Backend | undefined): Endpoint {
  if (backend === undefined) return { port: 0 };
  const url = backend.url === undefined ? null : URL.parse(backend.url);
  if (url === null) return { port: defaultPorts[backend.type] };
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const path = url.pathname.replace(/\/+$/, "");
  if (url.protocol === "http:" && path === "") return url.hostname === "localhost" ? { port } : { port, host: url.hostname };
  return { port, base_url: `${url.protocol}//${url.host}${path.endsWith("/v1") ? path : `${path}/v1`}` };
}
