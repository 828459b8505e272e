import type { ProgressSink } from "../../ports/progress.ts";
import { createBarProgress } from "./bar-progress.ts";
import { createJsonProgress } from "./json-progress.ts";
import { createPlainProgress } from "./plain-progress.ts";
import { resolveProgressMode, type ProgressMode } from "./progress-mode.ts";
import { createPaint } from "./style.ts";

/** The stream for talk, normally stderr. */
export interface ProgressStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ProgressOptions {
  readonly mode: ProgressMode;
  readonly stream: ProgressStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Named in the first line of the JSON stream. */
  readonly toolVersion: string;
  /** False turns colour off on a terminal, too. */
  readonly colour?: boolean;
}

/** Progress for people and programs. `close` removes bars; call it before anything else is written to the same terminal, and at the end. */
export function createProgress(options: ProgressOptions): { readonly sink: ProgressSink; readonly close: () => void } {
  const { stream, now } = options;
  // A reader that went away must not end the work it was watching.
  const write = (text: string): void => {
    if (stream.writable) stream.write(text, () => undefined);
  };
  const nothing = (): void => undefined;
  switch (resolveProgressMode(options.mode, stream.isTTY === true, options.env)) {
    case "none":
      return { sink: nothing, close: nothing };
    case "json":
      return { sink: createJsonProgress(write, now, options.toolVersion), close: nothing };
    case "plain":
      return { sink: createPlainProgress(write, now), close: nothing };
    case "tty":
      return createBarProgress({ write, columns: () => stream.columns ?? 80, paint: createPaint(stream, options.colour ?? true) }, now);
  }
}
