import { endpointOf, isEngine } from "../domain/activation/arguments.ts";
import type { Backend, BackendType } from "../domain/backend.ts";
import type { Metadata } from "../domain/resource.ts";
import { checkedUrl } from "./base-url.ts";
import { timer, type DecodeOptions, type Decoded } from "./decode-context.ts";
import type { Finding } from "./finding.ts";
import { quote } from "./quote.ts";
import { resolveDir } from "./resolve-dir.ts";
import type { WrittenActivation, WrittenBackend, WrittenSpec } from "./written/backend.ts";

const defaultPorts: Readonly<Record<BackendType, number | undefined>> = {
  ollama: 11434,
  vllm: 24001,
  lmdeploy: 24001,
  gguf: 8080,
  openai: undefined,
};

/** Decodes a Backend that its schema has accepted. */
export function decodeBackend(written: WrittenBackend, metadata: Metadata, options: DecodeOptions): Decoded<Backend> {
  const { spec } = written;
  const findings: Finding[] = [];
  const url = decodeUrl(spec, options, findings);
  const store = decodeStore(spec, options, findings);
  if (spec.active !== undefined && !isEngine(spec.type)) {
    findings.push({
      code: "backend.active-not-single",
      path: ["spec", "active"],
      at: "key",
      message: `a backend of type ${spec.type} serves many models; active is for those that serve one`,
      remedy: "remove active",
    });
  }
  if (spec.apiKeyEnv !== undefined && spec.type === "ollama") {
    findings.push({
      code: "backend.api-key",
      path: ["spec", "apiKeyEnv"],
      at: "key",
      message: "Ollama knows no API keys",
      remedy: "remove apiKeyEnv",
    });
  }
  const endpoint = spec.active === undefined || !isEngine(spec.type) || url === undefined ? undefined : endpointOf({ url });
  if (endpoint !== undefined && "problem" in endpoint) {
    findings.push({
      code: "backend.active-endpoint",
      path: ["spec", "active"],
      at: "key",
      message: `the server cannot be started here: ${endpoint.problem}`,
      remedy: "write host and port instead of url, or remove active",
    });
  }
  const value: Backend = {
    kind: "Backend",
    metadata,
    type: spec.type,
    ...(url === undefined ? {} : { url }),
    ...(spec.apiKeyEnv === undefined ? {} : { apiKeyEnv: spec.apiKeyEnv }),
    ...(store === undefined ? {} : { store }),
    insecureRegistry: spec.insecureRegistry,
    ...(spec.launch === undefined ? {} : { launch: { command: spec.launch.command, env: spec.launch.env } }),
    ...(spec.active === undefined ? {} : { active: spec.active === "none" ? { kind: "none" } : { kind: "model", name: spec.active } }),
    adopt: spec.adopt,
    activation: decodeActivation(spec.activation, findings),
  };
  return { value, findings };
}

function decodeActivation(written: WrittenActivation, findings: Finding[]): Backend["activation"] {
  return {
    startTimeout: timer(written.startTimeout, ["spec", "activation", "startTimeout"], findings),
    stopTimeout: timer(written.stopTimeout, ["spec", "activation", "stopTimeout"], findings),
    rollback: written.rollback,
    smokeTest: written.smokeTest,
    maxAttempts: written.maxAttempts,
  };
}

function decodeUrl(spec: WrittenSpec, options: DecodeOptions, findings: Finding[]): string | undefined {
  const { type, url, host, port, store } = spec;
  if (url !== undefined) {
    if (host !== undefined || port !== undefined)
      findings.push({
        code: "backend.url-twice",
        path: ["spec", host === undefined ? "port" : "host"],
        at: "key",
        message: "url already says host and port",
        remedy: "keep either url, or host and port",
      });
    const checked = checkedUrl(url);
    if ("url" in checked) return checked.url;
    findings.push({
      code: "backend.url",
      path: ["spec", "url"],
      message: `${quote(url)} ${checked.problem}`,
      remedy: "write http:// or https://, the host and the port, for example http://localhost:11434",
    });
    return undefined;
  }
  if (host !== undefined || port !== undefined) {
    const name = host ?? "127.0.0.1";
    return `http://${name.includes(":") ? `[${name}]` : name}:${port ?? defaultPorts[type] ?? 80}`;
  }
  if (type === "ollama") return store === undefined ? (options.ollamaUrl ?? "http://localhost:11434") : undefined;
  if (type === "openai") {
    findings.push({ code: "backend.no-url", path: ["spec"], message: "nothing says where the service is", remedy: "add url: https://..." });
    return undefined;
  }
  return `http://127.0.0.1:${defaultPorts[type] ?? 80}`;
}

function decodeStore(spec: WrittenSpec, options: DecodeOptions, findings: Finding[]): string | undefined {
  if (spec.store === undefined) return undefined;
  const path = ["spec", "store"];
  if (spec.type !== "ollama")
    findings.push({ code: "backend.store", path, at: "key", message: `a backend of type ${spec.type} has no store`, remedy: "remove store" });
  const resolved = resolveDir(spec.store, options);
  if ("dir" in resolved) return resolved.dir;
  findings.push({ code: "path.unknown-home", path, message: `${quote(spec.store)} ${resolved.problem}`, remedy: resolved.remedy });
  return undefined;
}
