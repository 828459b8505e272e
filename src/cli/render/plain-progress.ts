import type { ProgressEvent, ProgressSink } from "../../ports/progress.ts";
import { plainText } from "../../report/escape.ts";
import { formatBytes, formatDuration, formatPart } from "../../report/quantities.ts";
import { speedOf, Transfers, type Transfer } from "./transfers.ts";

const stepPercent = 10;
const stepMs = 30_000;

/** What was last printed of an action. */
interface Printed {
  readonly phase: string;
  readonly step: number;
  readonly at: number;
}

/** One line per change of state: start, every 10 % or 30 s, stalls, result. Never a carriage return. */
export function createPlainProgress(write: (text: string) => void, now: () => number): ProgressSink {
  const transfers = new Transfers();
  const printed = new Map<string, Printed>();
  const notes = new Set<string>();
  const print = (text: string): void => write(`${timeOf(now())} ${plainText(text)}\n`);
  return (event) => {
    const at = now();
    const transfer = transfers.note(event, at);
    if (event.type === "note") {
      const line = transfer === undefined ? event.message : `${nameOf(transfer)} ${event.message}`;
      if (!notes.has(line)) print(line);
      notes.add(line);
      return;
    }
    if (transfer === undefined) return;
    if (event.type === "progress") {
      const due = dueLine(transfer, printed.get(event.id), at);
      if (due === undefined) return;
      printed.set(event.id, due);
      print(progressLine(transfer, at));
      return;
    }
    if (event.type === "end") printed.delete(event.id);
    if (event.type === "start") printed.set(event.id, { phase: "", step: 0, at });
    print(eventLine(event, transfer, at));
  };
}

function eventLine(event: Exclude<ProgressEvent, { type: "note" | "progress" }>, transfer: Transfer, at: number): string {
  if (event.type === "start")
    return [
      nameOf(transfer),
      "start",
      ...(event.total === undefined ? [] : [formatBytes(event.total)]),
      ...(event.detail === undefined ? [] : [event.detail]),
    ].join(" ");
  if (event.type === "stalled") return `${nameOf(transfer)} stalled ${event.seconds}s at ${formatBytes(event.done)}, ${event.next}`;
  return [nameOf(transfer), event.result, event.detail, formatDuration(at - transfer.startedAt)].filter((part) => part !== "").join(" ");
}

function dueLine(transfer: Transfer, last: Printed | undefined, at: number): Printed | undefined {
  const { done, total, phase } = transfer;
  const step = total === undefined || total <= 0 ? 0 : Math.floor((done / total) * (100 / stepPercent));
  const due = last === undefined || last.phase !== phase || step > last.step || at - last.at >= stepMs;
  return due ? { phase, step, at } : undefined;
}

function progressLine(transfer: Transfer, at: number): string {
  const { phase, done, total } = transfer;
  const speed = speedOf(transfer, at);
  const known = total !== undefined && total > 0;
  const parts = [
    nameOf(transfer),
    phase,
    ...(known ? [`${Math.min(100, Math.floor((done / total) * 100))}%`, formatPart(done, total)] : done > 0 ? [formatBytes(done)] : []),
    ...(speed === undefined ? [] : [`${formatBytes(speed)}/s`]),
    ...(speed === undefined || !known || done >= total ? [] : [`eta ${formatDuration(Math.ceil((total - done) / speed) * 1000)}`]),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function nameOf(transfer: Transfer): string {
  return transfer.verb === "" ? transfer.object : `${transfer.verb} ${transfer.object}`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}
