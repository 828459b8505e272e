import { failed, type HoldfastError } from "../../domain/failure.ts";
import { canonicalOllamaName, shortOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { HttpAnswer } from "./http-line.ts";

/** What a registry's refusal means for one model. */
export function registryRefusal(answer: HttpAnswer, name: OllamaName): HoldfastError {
  const ref = canonicalOllamaName(name);
  const { status } = answer;
  const message = `the registry ${name.host} answered ${status} for ${ref}`;
  if (status === 404) {
    return failed("not-found", `the registry ${name.host} has no ${shortOllamaName(name)}`, {
      remedy: "check the name and the tag; private models also look like this to strangers",
    });
  }
  if (status === 401 || status === 403) {
    return failed("unauthorized", message, { remedy: "add the public key of the Ollama server (id_ed25519.pub) to the account that owns the model" });
  }
  if (status === 429) {
    const after = answer.headers["retry-after"];
    return failed("rate-limited", after === undefined ? message : `${message}, retry after ${after}${/^\d+$/.test(after) ? " s" : ""}`, {
      retry: "transient",
      remedy: "try again later",
    });
  }
  if (status === 412) return failed("unsupported", message, { remedy: "the model needs a newer Ollama: update the server" });
  if (status >= 500) return failed("upstream", message, { retry: "transient", remedy: "try again later" });
  return failed("protocol", message, { remedy: `check that ${name.host} is an Ollama registry` });
}
