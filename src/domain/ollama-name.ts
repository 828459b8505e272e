/** The four parts of an Ollama model name. Source: ollama `types/model/name.go` (reference/ollama.md 1.3). */
export interface OllamaName {
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const defaults = { host: "registry.ollama.ai", namespace: "library", tag: "latest" } as const;
const rules: Readonly<Record<keyof OllamaName, RegExp>> = {
  host: /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}$/,
  namespace: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$/,
  model: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
  tag: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
};

/** Why a text is not a usable Ollama name, or its parts with defaults filled in. Case is kept. */
export function parseOllamaName(text: string): { readonly name: OllamaName } | { readonly problem: string; readonly remedy: string } {
  const { host, namespace, model, tag } = splitParts(text.replace(/^https?:\/\//, ""));
  const name: OllamaName = { host: host ?? defaults.host, namespace: namespace ?? defaults.namespace, model, tag: tag ?? defaults.tag };
  if (text.includes("@"))
    return {
      problem: "Ollama cannot address a model by digest",
      remedy: "write the tag here and lock the model: `holdfast lock NAME` pins the digest",
    };
  for (const part of ["host", "namespace", "model", "tag"] as const) {
    if (!rules[part].test(name[part]))
      return { problem: `the ${part} part ${JSON.stringify(name[part])} is not valid`, remedy: "write [host[:port]/][namespace/]model[:tag]" };
  }
  const reserved = /^(local|cloud)$|-cloud$/i.exec(name.tag);
  if (reserved)
    return {
      problem: `the tag ${JSON.stringify(name.tag)} is reserved by Ollama`,
      remedy: "use another tag; cloud models have no local bytes: declare them with source `remote`",
    };
  return { name };
}

function splitParts(text: string): { host?: string; namespace?: string; model: string; tag?: string } {
  let rest = text;
  const parts: { host?: string; namespace?: string; tag?: string } = {};
  const colon = rest.lastIndexOf(":");
  if (colon > rest.lastIndexOf("/")) {
    parts.tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
  }
  const slash = rest.lastIndexOf("/");
  if (slash < 0) return { ...parts, model: rest };
  const model = rest.slice(slash + 1);
  rest = rest.slice(0, slash);
  const second = rest.lastIndexOf("/");
  if (second < 0) return { ...parts, namespace: rest, model };
  return { ...parts, host: rest.slice(0, second), namespace: rest.slice(second + 1), model };
}

/** The full form `host/namespace/model:tag`: the `ref` of holdings in an Ollama store. */
export function canonicalOllamaName(name: OllamaName): string {
  return `${name.host}/${name.namespace}/${name.model}:${name.tag}`;
}

/** The form that Ollama shows in `/api/tags`: defaults left out, tag always present. */
export function shortOllamaName(name: OllamaName): string {
  const { host, namespace, model, tag } = name;
  if (host !== defaults.host) return `${host}/${namespace}/${model}:${tag}`;
  return namespace === defaults.namespace ? `${model}:${tag}` : `${namespace}/${model}:${tag}`;
}

/** Ollama finds names without regard to case, part by part; two refs that differ only in case are the same model to it. */
export function sameOllamaRef(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
