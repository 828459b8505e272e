import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { failed } from "../../domain/failure.ts";
import { gitBlobHash } from "./git-blob.ts";
import { onDisk } from "./disk-errors.ts";
import { openRegularFile, type SafeFolder } from "./safe-folder.ts";
import type { WantedFile } from "./wanted-file.ts";

const readSize = 1024 * 1024;

/** Hashes of the bytes that are in a part. */
export interface PartDigests {
  readonly sha256: string;
  /** Only for files whose Git id is that of their content. */
  readonly gitId?: string;
}

/** Inode and time of the last write. */
export interface PartStamp {
  readonly ino: bigint;
  readonly mtimeNs: bigint;
}

/** An unfinished file: bytes are appended and hashed in one go, and what an earlier run left is read again instead of trusted. */
export class PartFile {
  readonly #handle: FileHandle;
  readonly #wanted: WantedFile;
  #position = 0;
  #sha256: Hash = createHash("sha256");
  #gitId: Hash | undefined;

  private constructor(handle: FileHandle, wanted: WantedFile) {
    this.#handle = handle;
    this.#wanted = wanted;
    this.#startHashes();
  }

  /** Opens or creates the part; afterwards `position` says how much is already there. */
  static async open(folder: SafeFolder, name: string, wanted: WantedFile, signal: AbortSignal): Promise<PartFile> {
    const flags = constants.O_RDWR | constants.O_CREAT;
    const handle = await onDisk(`could not open the part of ${wanted.path}`, () => openRegularFile(folder, name, flags));
    const part = new PartFile(handle, wanted);
    try {
      await part.#takeOver(signal);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return part;
  }

  get position(): number {
    return this.#position;
  }

  async append(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) this.#hash(chunk);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    await onDisk(`could not write ${this.#wanted.path}`, () => this.#writeAll(chunks));
    this.#position += length;
  }

  /** Forgets everything that was fetched. */
  async restart(): Promise<void> {
    await onDisk(`could not empty the part of ${this.#wanted.path}`, () => this.#handle.truncate(0));
    this.#position = 0;
    this.#startHashes();
  }

  digests(): PartDigests {
    const gitId = this.#gitId?.copy().digest("hex");
    return { sha256: this.#sha256.copy().digest("hex"), ...(gitId === undefined ? {} : { gitId }) };
  }

  /** Tells later whether it is still this file with these bytes. */
  async stamp(): Promise<PartStamp> {
    const { ino, mtimeNs } = await this.#handle.stat({ bigint: true });
    return { ino, mtimeNs };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #writeAll(chunks: readonly Buffer[]): Promise<void> {
    let position = this.#position;
    let rest = [...chunks];
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, position);
      position += bytesWritten;
      rest = dropBytes(rest, bytesWritten);
    }
  }

  async #takeOver(signal: AbortSignal): Promise<void> {
    const { path, size } = this.#wanted;
    const { size: there, nlink } = await this.#handle.stat();
    if (nlink > 1) throw failed("unsafe-path", `refused the part of ${path}: it is linked from elsewhere`);
    if (there > size) return this.restart();
    const buffer = Buffer.allocUnsafe(Math.min(readSize, Math.max(there, 1)));
    while (this.#position < there) {
      signal.throwIfAborted();
      const wantedLength = Math.min(buffer.length, there - this.#position);
      const { bytesRead } = await onDisk(`could not read the part of ${path}`, () => this.#handle.read(buffer, 0, wantedLength, this.#position));
      if (bytesRead === 0) return this.restart();
      this.#hash(buffer.subarray(0, bytesRead));
      this.#position += bytesRead;
    }
  }

  #startHashes(): void {
    this.#sha256 = createHash("sha256");
    this.#gitId = this.#wanted.gitId === undefined ? undefined : gitBlobHash(this.#wanted.size);
  }

  #hash(chunk: Buffer): void {
    this.#sha256.update(chunk);
    this.#gitId?.update(chunk);
  }
}

function dropBytes(chunks: readonly Buffer[], count: number): Buffer[] {
  let left = count;
  return chunks.flatMap((chunk) => {
    const dropped = Math.min(left, chunk.length);
    left -= dropped;
    return dropped === chunk.length ? [] : [chunk.subarray(dropped)];
  });
}

/** What speaks against these bytes being the wanted file, or undefined when every known hash fits. */
export function mismatchOf(wanted: WantedFile, found: PartDigests): string | undefined {
  if (wanted.sha256 !== undefined && wanted.sha256 !== found.sha256) return `expected SHA-256 ${wanted.sha256}, got ${found.sha256}`;
  if (wanted.gitId !== undefined && wanted.gitId !== found.gitId) return `expected Git id ${wanted.gitId}, got ${found.gitId ?? "none"}`;
  return undefined;
}
