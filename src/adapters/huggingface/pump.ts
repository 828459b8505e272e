import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";

const writeSize = 512 * 1024;

export interface PumpSink {
  /** Called at once for every piece that arrives, however small. */
  readonly received: (bytes: number) => void;
  readonly write: (chunks: readonly Buffer[]) => Promise<void>;
}

/**
 * Moves a body into a sink in pieces of about half a MiB, one after the other. Everything that arrived is written before a broken connection is
 * reported, so that the next attempt goes on from there. Ends with `overflow`, and writes no more, as soon as more than `limit` bytes arrive.
 */
export async function pump(body: Readable, limit: number, sink: PumpSink): Promise<"ended" | "overflow"> {
  let chunks: Buffer[] = [];
  let waiting = 0;
  let received = 0;
  let writing: Promise<void> = Promise.resolve();
  let writeProblem: Error | undefined;
  const writeOut = async (): Promise<void> => {
    const piece = chunks;
    chunks = [];
    waiting = 0;
    if (piece.length > 0) await sink.write(piece);
  };
  body.on("data", (chunk: Buffer) => {
    received += chunk.length;
    waiting += chunk.length;
    chunks.push(chunk);
    sink.received(chunk.length);
    if (received > limit) body.destroy();
    else if (waiting >= writeSize) {
      body.pause();
      writing = writeOut().then(
        () => void body.resume(),
        (error: unknown) => {
          writeProblem = asError(error);
          body.destroy();
        },
      );
    }
  });
  const readProblem = await finished(body).then(
    () => undefined,
    (error: unknown) => asError(error),
  );
  await writing;
  if (writeProblem !== undefined) throw writeProblem;
  if (received > limit) return "overflow";
  await writeOut();
  if (readProblem !== undefined) throw readProblem;
  return "ended";
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
