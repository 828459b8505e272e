import type { Milliseconds } from "../domain/resource.ts";

/** A picture as it is sent: its real media type, by its first bytes. */
export interface ProbeImage {
  readonly path: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** Reads pictures from disk. */
export interface ProbeImages {
  /** Throws HoldfastError `not-found`, `invalid-input` (no picture, or too large) or `unsafe-path` (outside of the allowed folder). */
  read(path: string, signal: AbortSignal): Promise<ProbeImage>;
}

/** One question to a model. */
export interface ProbeRequest {
  /** Base URL for OpenAI requests, usually ending in `/v1`. */
  readonly endpoint: string;
  readonly model: string;
  readonly prompt: string;
  readonly image?: ProbeImage;
  readonly maxTokens: number;
  /** Until the last byte of the answer. */
  readonly timeout: Milliseconds;
}

/** What came back. Times count from the moment the request was sent. */
export interface ProbeAnswer {
  readonly status: number;
  readonly text: string;
  readonly ttftMs?: Milliseconds;
  readonly durationMs: Milliseconds;
  readonly chunks: number;
  readonly streamed: boolean;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** What the server said instead of an answer, cut. */
  readonly error?: string;
}

/** Lets a model answer one question, streamed. */
export interface Prober {
  /**
   * A refusal by the server is an answer with its status. Throws HoldfastError `unreachable`, `timeout` or `protocol`; rejects with the signal's reason.
   */
  ask(request: ProbeRequest, signal: AbortSignal): Promise<ProbeAnswer>;
}
