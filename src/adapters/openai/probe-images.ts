import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { failed } from "../../domain/failure.ts";
import type { ProbeImage, ProbeImages } from "../../ports/probe.ts";
import { imageTypeOf } from "./image-type.ts";

export interface ProbeImagesOptions {
  /** Pictures outside of this folder are refused; undefined = any, for a person at the command line. */
  readonly root?: string;
  /** Bytes; default 20 MB. */
  readonly mostBytes?: number;
}

/** Reads pictures of a limited size from regular files. */
export function createProbeImages({ root, mostBytes = 20_000_000 }: ProbeImagesOptions = {}): ProbeImages {
  return {
    read: async (path, signal) => {
      signal.throwIfAborted();
      const real = await allowedPath(path, root);
      const bytes = await readRegular(real, path, mostBytes);
      signal.throwIfAborted();
      const mediaType = imageTypeOf(bytes);
      if (mediaType === undefined)
        throw failed("invalid-input", `${path} is no picture that is known`, { remedy: "give a JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF or HEIC file" });
      return { path, mediaType, bytes } satisfies ProbeImage;
    },
  };
}

async function allowedPath(path: string, root: string | undefined): Promise<string> {
  const real = await realpath(root === undefined ? path : resolve(root, path)).catch((error: unknown) => {
    throw failed("not-found", `the picture ${path} cannot be found`, { cause: error });
  });
  if (root === undefined) return real;
  const inside = relative(await realpath(root), real);
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw failed("unsafe-path", `the picture ${path} is outside of the folder for pictures`);
  return real;
}

/** Opened without following a link that was put there since, and without waiting for a pipe. */
async function readRegular(real: string, path: string, mostBytes: number): Promise<Uint8Array> {
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw failed("permission", `the picture ${path} cannot be opened`, { cause: error });
  });
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw failed("invalid-input", `${path} is no regular file`);
    if (facts.size > mostBytes)
      throw failed("invalid-input", `${path} has ${facts.size} bytes, and at most ${mostBytes} are sent`, { remedy: "give a smaller picture" });
    const buffer = Buffer.alloc(facts.size);
    const { bytesRead } = await handle.read(buffer, 0, facts.size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
