import type { ProgressEvent, ProgressSink } from "../../ports/progress.ts";
import { visibleJson } from "../../report/escape.ts";
import { redact } from "../../report/redact.ts";

/** Progress events of one action are at least this far apart, unless the phase changes or the action is complete. */
const quietMs = 500;

/** Events as lines of JSON. The first says which format: a minor version only adds, readers ignore types and members they do not know. */
export function createJsonProgress(write: (text: string) => void, now: () => number, toolVersion: string): ProgressSink {
  const last = new Map<string, { readonly phase: string; readonly at: number }>();
  const print = (record: Readonly<Record<string, unknown>>): void => {
    const text = JSON.stringify({ ...record, ts: new Date(now()).toISOString() }, (_key, value: unknown) =>
      typeof value === "string" ? redact(value) : value,
    );
    write(`${visibleJson(text)}\n`);
  };
  print({ type: "version", format: "1.0", tool: toolVersion });
  return (event) => {
    if (event.type === "progress") {
      const before = last.get(event.id);
      const complete = event.total !== undefined && event.done === event.total;
      if (before?.phase === event.phase && !complete && now() - before.at < quietMs) return;
      last.set(event.id, { phase: event.phase, at: now() });
    }
    if (event.type === "end") last.delete(event.id);
    print(recordOf(event));
  };
}

function recordOf(event: ProgressEvent): Readonly<Record<string, unknown>> {
  const { type, id, ...rest } = { id: undefined, ...event };
  return { type: type === "note" ? "note" : `action_${type}`, action: id, ...rest };
}
