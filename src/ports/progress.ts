/** Something that happened while an action or an observation ran; for people and event streams, never for decisions. */
export type ProgressEvent =
  | { readonly type: "start"; readonly id: string; readonly object: string; readonly verb: string; readonly total?: number; readonly detail?: string }
  /** `done` and `total` are bytes. `done` may go down when a part is fetched again. */
  | { readonly type: "progress"; readonly id: string; readonly phase: string; readonly done?: number; readonly total?: number }
  /** No byte for a while; what will be tried next. */
  | { readonly type: "stalled"; readonly id: string; readonly seconds: number; readonly done: number; readonly next: string }
  | { readonly type: "note"; readonly id?: string; readonly message: string }
  | { readonly type: "end"; readonly id: string; readonly result: "applied" | "failed" | "skipped"; readonly detail: string };

/** Receives progress; must not throw and must return at once. */
export type ProgressSink = (event: ProgressEvent) => void;
