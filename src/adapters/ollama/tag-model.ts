import { failed } from "../../domain/failure.ts";
import { canonicalOllamaName, type OllamaName } from "../../domain/ollama-name.ts";
import type { Holding } from "../../domain/observed.ts";
import { ensureUnloaded } from "./unload.ts";
import type { WriterSide } from "./writer-side.ts";

interface Tagging {
  /** Manifest digest that source and copy must have. */
  readonly digest: string;
  readonly signal: AbortSignal;
}

/** Gives content a second name; the server copies the manifest's bytes, so the digest stays. */
export async function tagModel(side: WriterSide, from: OllamaName, to: OllamaName, { digest, signal }: Tagging): Promise<Holding> {
  const [source, target] = [canonicalOllamaName(from), canonicalOllamaName(to)];
  await requireSource(side, source, { target, digest }, signal);
  const present = await holdingAt(side, target, signal);
  if (present?.contentId === digest) return present;
  if (present !== undefined) await ensureUnloaded(side, present, signal);
  await side.api.copy(source, target, signal);
  const copy = await holdingAt(side, target, signal);
  if (copy?.contentId === digest) return copy;
  throw failed("upstream", `${side.api.server.text} said success, but ${target} has the content ${copy?.contentId ?? "nothing"}, not ${digest}`, {
    retry: "transient",
    remedy: "look at the log of the Ollama server",
  });
}

async function requireSource(
  side: WriterSide,
  source: string,
  { target, digest }: { target: string; digest: string },
  signal: AbortSignal,
): Promise<void> {
  const original = await holdingAt(side, source, signal);
  if (original === undefined)
    throw failed("not-found", `${source} is not there to be copied to ${target}`, { remedy: `pull it first: ollama pull ${source}` });
  if (original.contentId !== digest) {
    throw failed("precondition", `${source} is not copied to ${target}: it has the content ${original.contentId} now, ${digest} was meant`, {
      remedy: "plan again",
    });
  }
}

async function holdingAt(side: WriterSide, ref: string, signal: AbortSignal): Promise<Holding | undefined> {
  const seen = await side.reader.inspect(ref, "presence", signal);
  return seen !== undefined && "artifacts" in seen ? seen : undefined;
}
