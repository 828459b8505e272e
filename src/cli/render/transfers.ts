import type { ProgressEvent } from "../../ports/progress.ts";

/** What is known of one running action. */
export interface Transfer {
  readonly id: string;
  readonly object: string;
  readonly verb: string;
  readonly phase: string;
  readonly done: number;
  readonly total: number | undefined;
  readonly startedAt: number;
  /** Where the measurement of the speed began: start of the phase, or the last time `done` went down. */
  readonly measured: { readonly at: number; readonly done: number };
  readonly stalled: boolean;
}

/** Keeps the running actions by id, in the order they started. Times are milliseconds. */
export class Transfers {
  readonly #running = new Map<string, Transfer>();

  get running(): readonly Transfer[] {
    return [...this.#running.values()];
  }

  find(id: string): Transfer | undefined {
    return this.#running.get(id);
  }

  /** Takes an event in and returns the action it is about, as it is now; an ended one for the last time. */
  note(event: ProgressEvent, now: number): Transfer | undefined {
    if (event.type === "start") return this.#keep(begin(event, now));
    if (event.type === "note") return event.id === undefined ? undefined : this.#running.get(event.id);
    const known = this.#running.get(event.id) ?? begin({ type: "start", id: event.id, object: event.id, verb: "" }, now);
    if (event.type === "end") {
      this.#running.delete(event.id);
      return known;
    }
    return this.#keep(event.type === "stalled" ? { ...known, done: event.done, stalled: true } : advance(known, event, now));
  }

  #keep(transfer: Transfer): Transfer {
    this.#running.set(transfer.id, transfer);
    return transfer;
  }
}

/** Bytes per second since the measurement began; undefined while there is nothing to measure. */
export function speedOf(transfer: Transfer, now: number): number | undefined {
  const seconds = (now - transfer.measured.at) / 1000;
  const bytes = transfer.done - transfer.measured.done;
  return seconds >= 1 && bytes > 0 ? bytes / seconds : undefined;
}

function begin(event: Extract<ProgressEvent, { type: "start" }>, now: number): Transfer {
  return {
    id: event.id,
    object: event.object,
    verb: event.verb,
    phase: "",
    done: 0,
    total: event.total,
    startedAt: now,
    measured: { at: now, done: 0 },
    stalled: false,
  };
}

function advance(known: Transfer, event: Extract<ProgressEvent, { type: "progress" }>, now: number): Transfer {
  const samePhase = known.phase === event.phase;
  const done = event.done ?? (samePhase ? known.done : 0);
  // A phase that says nothing of bytes (writing a manifest) has no total either.
  const total = event.total ?? (samePhase || event.done !== undefined ? known.total : undefined);
  const measured = samePhase && done >= known.done && known.phase !== "" ? known.measured : { at: now, done };
  return { ...known, phase: event.phase, done, total, measured, stalled: false };
}
