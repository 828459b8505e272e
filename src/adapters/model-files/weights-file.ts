import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { ModelFacts } from "../../domain/observed.ts";
import type { HeaderFinding } from "../../ports/model-headers.ts";
import { ggufFacts, safetensorsFacts } from "./file-facts.ts";
import { ggufHeaderLimit, ggufMagic, readGgufHeader } from "./gguf-header.ts";
import { HeaderCursor, isMalformed, malformed } from "./header-cursor.ts";
import { inTime } from "./in-time.ts";
import { openForReading } from "./open-file.ts";
import { readSafetensorsHeader, safetensorsHeaderLimit } from "./safetensors-header.ts";

type Format = "gguf" | "safetensors" | "other";

interface OpenFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly size: number;
  readonly signal: AbortSignal;
}

/**
 * Looks at the head of one file. The bytes decide what it is; the name only counts against it: a file called `.gguf` or `.safetensors` that is
 * something else (a pickle, a zip, a 7z archive) is malformed. Throws HoldfastError when the file cannot be read, or not in time.
 */
export function inspectWeightsFile(path: string, outer: AbortSignal, timeoutMs: number): Promise<HeaderFinding> {
  return inTime(`read the header of ${path}`, timeoutMs, outer, (signal) => inspect(path, signal));
}

async function inspect(path: string, signal: AbortSignal): Promise<HeaderFinding> {
  const file = await openForReading(path);
  try {
    const { size } = await file.stat();
    const facts = await readFacts({ file, path, size, signal });
    return facts === undefined ? { state: "other" } : { state: "understood", facts };
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return { state: "malformed", failure: { ...error.failure, message: `${basename(path)}: ${error.failure.message}` } };
  } finally {
    await file.close();
  }
}

async function readFacts({ file, path, size, signal }: OpenFile): Promise<ModelFacts | undefined> {
  const found = await formatOf(file, size);
  const named = /\.(gguf|safetensors)$/i.exec(path)?.[1]?.toLowerCase();
  if (named !== undefined && named !== found) throw malformed(`the file is named .${named} and is something else`);
  const cursor = (bytes: number): HeaderCursor => new HeaderCursor(file, size, { bytes, signal });
  if (found === "gguf") return ggufFacts(await readGgufHeader(cursor(ggufHeaderLimit)));
  if (found === "safetensors") return safetensorsFacts(await readSafetensorsHeader(cursor(8 + safetensorsHeaderLimit)));
  return undefined;
}

/** Safetensors has no magic number: eight bytes of header length that can be true, then `{`. */
async function formatOf(file: FileHandle, size: number): Promise<Format> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(9), 0, 9, 0);
  if (bytesRead >= 4 && buffer.toString("latin1", 0, 4) === ggufMagic) return "gguf";
  if (bytesRead < 9 || buffer[8] !== 0x7b) return "other";
  const header = buffer.readBigUInt64LE();
  return header <= BigInt(Math.max(size, safetensorsHeaderLimit)) ? "safetensors" : "other";
}
