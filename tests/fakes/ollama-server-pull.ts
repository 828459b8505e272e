import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { dirname, join } from "node:path";
import { hex } from "./ollama-samples.ts";
import { fullParts, layersOf, type ServerStore, type StoredLayer, type StoredModel } from "./ollama-server-store.ts";

export interface PullFaults {
  /** The same progress for ever, as when a part stalls. */
  stall: boolean;
  /** The same, but going back and forth, as when a part is fetched again and again. */
  swing: boolean;
  /** Stalls only this many pulls. */
  stallTimes: number;
  /** Ends with this error instead of fetching. */
  errorLine: string | undefined;
  /** Error lines of the next pulls, one each. */
  errorLines: string[];
  /** The stream ends as when the server is restarted. */
  endsEarly: boolean;
  /** Writes another manifest than the registry sent. */
  wrongDigest: boolean;
  /** Removes one blob behind the next pull's back, as a deletion of another model at the same time does. */
  losesBlob: string | undefined;
}

export interface PullJob {
  readonly store: ServerStore;
  readonly model: string;
  readonly insecure: boolean;
  readonly faults: PullFaults;
  readonly say: (line: Readonly<Record<string, unknown>>) => void;
  readonly signal: AbortSignal;
}

/** Pulls like the real server: by protocol, blob by blob, verifying only what this very call has fetched. Throws what becomes the error line. */
export async function pullModel(job: PullJob): Promise<void> {
  const { store, faults, say } = job;
  say({ status: "pulling manifest" });
  const scripted = faults.errorLines.shift() ?? faults.errorLine;
  if (scripted !== undefined) throw new Error(scripted);
  const [host, namespace, model, tag] = fullParts(job.model);
  const base = `${job.insecure ? "http" : "https"}://${host}/v2/${namespace}/${model}`;
  const manifest = await fetchManifest(job, `${base}/manifests/${tag}`);
  const old = await store.find(job.model);
  if (faults.stall || faults.swing || faults.stallTimes-- > 0) await stall(job);
  const layers: StoredLayer[] = [...(manifest.value.layers ?? []), ...(manifest.value.config ? [manifest.value.config] : [])];
  const fresh = new Set<string>();
  for (const layer of layers) if (await fetchBlob(job, base, layer)) fresh.add(layer.digest);
  if (faults.endsEarly) throw new Error("server ended");
  say({ status: "verifying sha256 digest" });
  for (const digest of fresh) await verify(store, digest);
  say({ status: "writing manifest" });
  const path = await store.targetOf(job.model);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, faults.wrongDigest ? manifest.text.replace("{", '{"odd":true,') : manifest.text);
  if (faults.losesBlob !== undefined) await rm(store.blob(faults.losesBlob), { force: true });
  faults.losesBlob = undefined;
  if (old) await removeOld(job, old, layers);
  say({ status: "success" });
}

async function removeOld({ store, say }: PullJob, old: StoredModel, layers: readonly StoredLayer[]): Promise<void> {
  const kept = new Set(layers.map((layer) => layer.digest));
  const unused = layersOf(old).filter((layer) => !kept.has(layer.digest));
  if (unused.length === 0) return;
  say({ status: "removing unused layers" });
  await store.removeUnused(unused);
}

async function fetchManifest(job: PullJob, url: string): Promise<{ text: string; value: { layers?: StoredLayer[]; config?: StoredLayer } }> {
  const response = await get(url, job.signal, { accept: "application/vnd.docker.distribution.manifest.v2+json" }).catch((error: unknown) => {
    throw new Error(`pull model manifest: Get "${url}": dial tcp: ${String(error)}`);
  });
  const text = (await bodyOf(response)).toString("utf8");
  if (response.statusCode === 404) throw new Error("pull model manifest: file does not exist");
  if ((response.statusCode ?? 500) >= 400) throw new Error(`pull model manifest: ${response.statusCode}: ${text}`);
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw new Error("pull model manifest: invalid character '<' looking for beginning of value");
  }
}

async function stall({ say, signal, faults }: PullJob): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    say({ status: "pulling 0123456789ab", digest: `sha256:${"0".repeat(64)}`, total: 1000, completed: faults.swing ? 10 + (turn % 4) : 10 });
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  throw new Error("context canceled");
}

/** True when it was not there before. */
async function fetchBlob(job: PullJob, base: string, layer: StoredLayer): Promise<boolean> {
  const { store, say, signal } = job;
  const path = store.blob(layer.digest);
  const status = `pulling ${layer.digest.slice(7, 19)}`;
  const size = await store.sizeOf(layer.digest);
  if (size !== undefined) {
    say({ status, digest: layer.digest, total: size, completed: size });
    return false;
  }
  await requireWholeParts(path);
  const location = await directUrl(`${base}/blobs/${layer.digest}`, signal);
  const response = await get(location, signal, { range: `bytes=0-${layer.size - 1}` });
  const chunks: Buffer[] = [];
  let completed = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    completed += chunk.length;
    say({ status, digest: layer.digest, total: layer.size, completed });
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length < layer.size) throw new Error("max retries exceeded: EOF");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}-partial`, bytes.subarray(0, layer.size));
  await rename(`${path}-partial`, path);
  return true;
}

async function requireWholeParts(path: string): Promise<void> {
  const folder = dirname(path);
  const names = (await readdir(folder).catch(() => [])).filter((name) => join(folder, name).startsWith(`${path}-partial-`));
  for (const name of names) {
    const text = await readFile(join(folder, name), "utf8");
    if (text === "") throw new Error("EOF");
  }
}

async function directUrl(url: string, signal: AbortSignal): Promise<string> {
  const response = await get(url, signal, {});
  response.resume();
  const { location } = response.headers;
  if (response.statusCode === 404) throw new Error("file does not exist");
  if (response.statusCode !== 200 && response.statusCode !== 307) throw new Error(`unexpected status code ${response.statusCode}`);
  if (location === undefined) throw new Error("http: no Location header in response");
  if (new URL(location).hostname === new URL(url).hostname) return directUrl(location, signal);
  return location;
}

async function verify(store: ServerStore, digest: string): Promise<void> {
  const got = `sha256:${hex(await readFile(store.blob(digest)))}`;
  if (got === digest) return;
  await rm(store.blob(digest));
  throw new Error(`digest mismatch, file must be downloaded again: want ${digest} got ${got}`);
}

/** Plain chunks follow redirects to wherever they lead. */
async function get(url: string, signal: AbortSignal, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(url, { headers, signal, agent: false }, resolve).on("error", reject).end();
  });
  const { location } = response.headers;
  if ("range" in headers && response.statusCode === 307 && location !== undefined) {
    response.resume();
    return get(location, signal, headers);
  }
  return response;
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
}
