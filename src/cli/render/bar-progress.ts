import type { ProgressEvent, ProgressSink } from "../../ports/progress.ts";
import { plainText } from "../../report/escape.ts";
import type { Paint } from "../../report/paint.ts";
import { formatBytes, formatDuration, formatPart } from "../../report/quantities.ts";
import { cutEnd, cutMiddle, displayWidth, padEnd, padStart } from "../../report/text-layout.ts";
import { speedOf, Transfers, type Transfer } from "./transfers.ts";

/** The terminal as the bars need it. */
export interface BarTerminal {
  readonly write: (text: string) => void;
  readonly columns: () => number;
  readonly paint: Paint;
}

const redrawMs = 100;
const maximumBars = 8;
const nameWidth = 28;

/**
 * One bar per running action, redrawn in place by the events themselves: no timer that could keep the process alive. The cursor is never hidden and
 * always stands below the bars, so that an interrupt at any time leaves a usable terminal.
 */
export function createBarProgress(terminal: BarTerminal, now: () => number): { readonly sink: ProgressSink; readonly close: () => void } {
  const transfers = new Transfers();
  const notes = new Set<string>();
  let drawn = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const redraw = (above: readonly string[]): void => {
    const bars = barsOf(transfers.running, terminal, now());
    const up = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
    terminal.write(`${up}${[...above, ...bars].map((line) => `${line}\n`).join("")}`);
    drawn = bars.length;
    drawnAt = now();
  };
  const sink: ProgressSink = (event) => {
    const at = now();
    const transfer = transfers.note(event, at);
    const line = permanentLine(event, transfer, at, terminal);
    if (line !== undefined && event.type === "note") {
      if (notes.has(line)) return;
      notes.add(line);
    }
    if (line !== undefined) redraw([line]);
    else if (event.type === "start" || at - drawnAt >= redrawMs) redraw([]);
  };
  const close = (): void => {
    if (drawn > 0) terminal.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  return { sink, close };
}

/** What stays on the screen: results, stalls and notes. */
function permanentLine(event: ProgressEvent, transfer: Transfer | undefined, at: number, terminal: BarTerminal): string | undefined {
  const name = transfer === undefined ? "" : nameOf(transfer);
  if (event.type === "note") return [name, plainText(event.message)].filter((part) => part !== "").join(" ");
  if (event.type === "stalled")
    return terminal.paint("warning", `${name} stalled ${event.seconds}s at ${formatBytes(event.done)}, ${plainText(event.next)}`);
  if (event.type !== "end") return undefined;
  const tone = event.result === "applied" ? "good" : event.result === "failed" ? "error" : "warning";
  const time = transfer === undefined ? "" : formatDuration(at - transfer.startedAt);
  return `${terminal.paint(tone, padEnd(event.result, 8))} ${[name, plainText(event.detail), time].filter((part) => part !== "").join(" ")}`;
}

function barsOf(running: readonly Transfer[], terminal: BarTerminal, at: number): readonly string[] {
  const width = Math.max(20, terminal.columns() - 1);
  const bars = running.slice(0, maximumBars).map((transfer) => barOf(transfer, width, at));
  return running.length > maximumBars ? [...bars, cutEnd(`... and ${running.length - maximumBars} more`, width)] : bars;
}

function barOf(transfer: Transfer, width: number, at: number): string {
  const { done, total } = transfer;
  const numbers = numbersOf(transfer, at);
  const name = padEnd(cutMiddle(nameOf(transfer), nameWidth), nameWidth);
  const room = width - displayWidth(name) - displayWidth(numbers) - 4;
  if (total === undefined || total <= 0 || room < 10)
    return cutEnd([name, plainText(transfer.phase), numbers].filter((part) => part !== "").join(" "), width);
  const filled = Math.round(Math.min(1, done / total) * room);
  return cutEnd(`${name} [${"#".repeat(filled)}${"-".repeat(room - filled)}] ${numbers}`, width);
}

function numbersOf(transfer: Transfer, at: number): string {
  const { done, total, stalled } = transfer;
  const speed = stalled ? undefined : speedOf(transfer, at);
  const pace = speed === undefined ? [] : [`${formatBytes(speed)}/s`];
  const wait = stalled ? ["stalled"] : pace;
  if (total === undefined || total <= 0) return [...(done > 0 ? [formatBytes(done)] : []), ...wait].join(" ");
  const percent = padStart(String(Math.floor(Math.min(1, done / total) * 100)), 3);
  const left = speed !== undefined && done < total ? [`eta ${formatDuration(Math.ceil((total - done) / speed) * 1000)}`] : [];
  return [`${percent}%`, formatPart(done, total), ...wait, ...left].join(" ");
}

function nameOf(transfer: Transfer): string {
  return plainText(transfer.verb === "" ? transfer.object : `${transfer.verb} ${transfer.object}`);
}
