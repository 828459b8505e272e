import { failed, type FailureCode, type HoldfastError, type RetryClass } from "../../domain/failure.ts";

interface Rule {
  readonly pattern: RegExp;
  readonly code: FailureCode;
  readonly retry?: RetryClass;
  readonly remedy: string;
}

const noWay = "the Ollama server cannot reach the registry: check its network, DNS and proxy";
const manually = "try manually: `ollama pull` on the server, and check its disk space and network";

/**
 * The stream of a pull is always HTTP 200 and its errors are sentences, so this is the one place where text decides (reference/ollama.md 2.5). The
 * first rule that fits counts.
 */
const rules: readonly Rule[] = [
  {
    pattern: /no space left on device|disk quota exceeded/,
    code: "disk-full",
    remedy: "free space on the server's models directory; unfinished downloads stay there and count",
  },
  {
    pattern: /^digest mismatch/,
    code: "integrity",
    remedy: "the registry or the way to it delivers wrong bytes: run again, and if it stays, ask the publisher",
  },
  { pattern: /^pull model manifest: file does not exist/, code: "not-found", remedy: "check the name and the tag of the model" },
  { pattern: /^pull model manifest: 429\b/, code: "rate-limited", retry: "transient", remedy: "try again later" },
  {
    pattern: /^pull model manifest: 412\b|newer version of Ollama/,
    code: "unsupported",
    remedy: "the model needs a newer Ollama: update the server",
  },
  { pattern: /sharded GGUF/, code: "unsupported", remedy: "Ollama cannot pull split GGUF files: declare the model with source `huggingface`" },
  {
    pattern: /^pull model manifest: 40[13]\b|^unauthorized/,
    code: "unauthorized",
    remedy: "add the public key of the Ollama server (id_ed25519.pub) to the account that owns the model",
  },
  {
    pattern: /realm host/,
    code: "unauthorized",
    remedy: "the registry sends to another host for its token, which Ollama refuses; for Hub models write huggingface.co/... instead of hf.co/...",
  },
  { pattern: /id_ed25519/, code: "unauthorized", remedy: "the Ollama server has no key pair: start it once with `ollama serve` as its own user" },
  {
    pattern: /server gave HTTP response to HTTPS client/,
    code: "invalid-input",
    remedy: "set `insecureRegistry: true` on the Backend if this registry may be used over plain HTTP",
  },
  {
    pattern: /no Location header|unexpected status code 30/,
    code: "unsupported",
    remedy: "Ollama fetches blobs only from registries that redirect with 307 to another host name: put such a redirect in front of it",
  },
  { pattern: /^pull model manifest: 5\d\d\b/, code: "upstream", retry: "transient", remedy: "try again later" },
  {
    pattern: /^pull model manifest: invalid character/,
    code: "protocol",
    retry: "transient",
    remedy: "something answers in place of the registry: check proxy and login pages on the way from the Ollama server",
  },
  { pattern: /MLX/, code: "unsupported", remedy: "this model needs Ollama with MLX support (macOS)" },
  {
    pattern: /dial tcp|lookup |no such host|connection (refused|reset)|i\/o timeout|TLS handshake|certificate|insecure protocol http/,
    code: "unreachable",
    retry: "transient",
    remedy: noWay,
  },
  { pattern: /context deadline exceeded|max retries exceeded/, code: "unreachable", retry: "transient", remedy: noWay },
  {
    pattern: /^(unexpected )?EOF$|^unexpected end of JSON/,
    code: "upstream",
    retry: "transient",
    remedy: "an earlier download left broken `-partial-` files below `blobs`: remove them on the server",
  },
  { pattern: /permission denied/, code: "permission", remedy: "the Ollama server may not write to its models directory" },
  { pattern: /^invalid model name|^model is required/, code: "invalid-input", remedy: "write [host[:port]/][namespace/]model[:tag]" },
];

export function readPullError(text: string, model: string, server: string): HoldfastError {
  const rule = rules.find(({ pattern }) => pattern.test(text));
  return failed(rule?.code ?? "upstream", `could not pull model ${model} (server ${server}): ${text.slice(0, 500)}`, {
    retry: rule === undefined ? "transient" : (rule.retry ?? "terminal"),
    remedy: rule?.remedy ?? manually,
  });
}
