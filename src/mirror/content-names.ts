import { createHash, type Hash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Sha256 } from "../domain/digest.ts";
import { failed } from "../domain/failure.ts";
import { identityOf, type ContentName, type FoundFile } from "./mirror-file.ts";

const chunkBytes = 1024 * 1024;
const largeBytes = 10 * 1024 * 1024;

/** True for files that the Hub would keep in large file storage. */
export function isLarge(file: Pick<FoundFile, "path" | "size">): boolean {
  return file.size >= largeBytes || /\.(safetensors|gguf|bin)$/i.test(file.path);
}

/** Content name of a file in large file storage; `oid` is the git blob of the pointer that git would hold in its place. */
export function largeContentName(sha256: Sha256, size: number): ContentName {
  return { oid: gitBlob(pointerText(sha256, size)), sha256 };
}

/** Bytes of the pointer file that git holds for a large file. */
export function pointerSize(sha256: Sha256, size: number): number {
  return pointerText(sha256, size).length;
}

interface WaitingFile {
  readonly file: FoundFile;
  readonly name: PromiseWithResolvers<ContentName>;
}

/**
 * Names contents by hashing them, each file once as long as it is not written to. One at a time, so that answers are not starved, and the smallest
 * first, so that a small model does not wait for a large one.
 */
export class ContentNames {
  readonly #known = new Map<string, Promise<ContentName>>();
  readonly #small: WaitingFile[] = [];
  readonly #large: WaitingFile[] = [];
  readonly #signal: AbortSignal;
  #busy = false;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  nameOf(file: FoundFile): Promise<ContentName> {
    const key = `${file.identity}:${isLarge(file)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = Promise.withResolvers<ContentName>();
    (isLarge(file) ? this.#large : this.#small).push({ file, name });
    this.#known.set(key, name.promise);
    name.promise.catch(() => this.#known.delete(key));
    if (!this.#busy) void this.#work();
    return name.promise;
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      await hashFile(next.file, this.#signal).then(next.name.resolve, next.name.reject);
    }
    this.#busy = false;
  }

  #take(): WaitingFile | undefined {
    const small = this.#small.pop();
    if (small !== undefined) return small;
    const smallest = this.#large.reduce((least, { file }, index, all) => (file.size < (all[least]?.file.size ?? 0) ? index : least), 0);
    return this.#large.splice(smallest, 1)[0];
  }
}

async function hashFile(file: FoundFile, signal: AbortSignal): Promise<ContentName> {
  const large = isLarge(file);
  const hash = createHash(large ? "sha256" : "sha1");
  if (!large) hash.update(`blob ${file.size}\0`);
  await readInto(hash, file, signal);
  const hex = hash.digest("hex");
  return large ? largeContentName(hex, file.size) : { oid: hex };
}

async function readInto(hash: Hash, file: FoundFile, signal: AbortSignal): Promise<void> {
  const handle = await open(file.absolute);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(1, file.size)));
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
    if (identityOf(await handle.stat({ bigint: true })) !== file.identity) {
      throw failed("conflict", `${file.path} changed while it was hashed`, { retry: "transient" });
    }
  } finally {
    await handle.close();
  }
}

function pointerText(sha256: Sha256, size: number): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
}

function gitBlob(text: string): string {
  return createHash("sha1")
    .update(`blob ${Buffer.byteLength(text)}\0${text}`)
    .digest("hex");
}
