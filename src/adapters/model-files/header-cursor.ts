import type { FileHandle } from "node:fs/promises";
import { failed, HoldfastError } from "../../domain/failure.ts";

const windowBytes = 256 * 1024;

/** What a cursor may do before it gives up. */
export interface CursorLimits {
  /** No position beyond this many bytes is ever read. */
  readonly bytes: number;
  readonly signal: AbortSignal;
}

/** Something about the bytes of a weights file that no server should be given. */
export function malformed(message: string): HoldfastError {
  return failed("integrity", message, { remedy: "do not load this file; fetch it again, or report it to its publisher" });
}

/** True for what speaks against the file itself, and not only against this attempt to read it. */
export function isMalformed(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && ["integrity", "unsafe-path", "unsupported"].includes(error.failure.code);
}

/**
 * Walks forward through the head of a file with one small window in memory. Only `need` and `offer` read, so what is skipped costs nothing, and a
 * length taken from the file is never allocated before it was compared with the bytes that are really there.
 */
export class HeaderCursor {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #limits: CursorLimits;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;

  constructor(file: FileHandle, size: number, limits: CursorLimits) {
    this.#file = file;
    this.size = size;
    this.#limits = limits;
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.#start + this.#at;
  }

  get remaining(): number {
    return this.size - this.position;
  }

  /** True when that many bytes can be taken without reading from the file. */
  has(bytes: number): boolean {
    return this.#at + bytes <= this.#window.length;
  }

  /** Makes that many bytes available, or throws because the file ends or the header is too long. */
  async need(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    if (bytes > this.remaining) throw malformed(`the file ends inside its header, at byte ${this.size}`);
    if (this.position + bytes > this.#limits.bytes) throw malformed(`the header is longer than ${this.#limits.bytes} bytes`);
    await this.#fill(Math.max(bytes, windowBytes));
  }

  /** Makes up to that many bytes available; fewer when the file ends before. */
  async offer(bytes: number): Promise<void> {
    const wanted = Math.min(bytes, this.remaining, Math.max(0, this.#limits.bytes - this.position));
    if (!this.has(wanted)) await this.#fill(Math.max(wanted, windowBytes));
  }

  /** Bytes that are in memory from here on; valid until the next `need` or `offer`. */
  ahead(): Buffer {
    return this.#window.subarray(this.#at);
  }

  /** The next bytes, which `need` has made available. */
  take(bytes: number): Buffer {
    const part = this.#window.subarray(this.#at, this.#at + bytes);
    this.#at += bytes;
    return part;
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  uint64(): bigint {
    return this.take(8).readBigUInt64LE();
  }

  /** Moves on without reading. */
  skip(bytes: bigint): void {
    if (bytes > BigInt(this.remaining)) throw malformed(`a length of ${bytes} bytes at byte ${this.position} leads beyond the end of the file`);
    this.#at += Number(bytes);
  }

  async #fill(bytes: number): Promise<void> {
    this.#limits.signal.throwIfAborted();
    const start = this.position;
    const length = Math.min(bytes, this.size - start);
    const window = this.#window.length === length && this.#start !== start ? this.#window : Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(window, filled, length - filled, start + filled);
      if (bytesRead === 0) throw malformed("the file became shorter while it was read");
      filled += bytesRead;
    }
    this.#limits.signal.throwIfAborted();
    this.#window = window;
    this.#start = start;
    this.#at = 0;
  }
}
