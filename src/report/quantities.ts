import type { Instant, Milliseconds } from "../domain/resource.ts";

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Decimal units with one digit, for example `5.2 GB`; bytes below 1000 are exact. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return "? B";
  let value = bytes;
  let unit = 0;
  // 999.95 would round to "1000.0": the next unit starts there.
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Progress of a transfer in the unit of the total, for example `0.5/5.2 GB`. */
export function formatPart(done: number, total: number): string {
  const whole = formatBytes(total);
  const unit = whole.slice(whole.indexOf(" ") + 1);
  const power = units.findIndex((name) => name === unit);
  if (power < 0) return formatBytes(done);
  return `${(done / 1000 ** power).toFixed(power === 0 ? 0 : 1)}/${whole}`;
}

/** A length of time in at most two units, for example `4m36s`, `1h02m`, `3d4h`. */
export function formatDuration(ms: Milliseconds): string {
  if (!Number.isFinite(ms) || ms < 0) return "?";
  if (ms < 950) return `${Math.round(ms)}ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${twoDigits(Math.floor((seconds % 3600) / 60))}m`;
  const hours = Math.floor((seconds % 86_400) / 3600);
  return hours === 0 ? `${Math.floor(seconds / 86_400)}d` : `${Math.floor(seconds / 86_400)}d${hours}h`;
}

/** A length of time as a person writes it, for example `30m`, `1h30m`: parts that are zero are left out. */
export function formatSpan(ms: Milliseconds): string {
  return formatDuration(ms).replace(/(\d[a-z])00[ms]$/, "$1");
}

/** How long ago, in one unit, for example `12m`, `3d`; `0s` when the instant lies in the future. */
export function formatAge(from: Instant, now: Instant): string {
  const ms = Date.parse(now) - Date.parse(from);
  if (Number.isNaN(ms)) return "?";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** For people: `2026-11-21 11:50:02 UTC`. */
export function formatInstant(instant: Instant): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(instant) ? `${instant.slice(0, 10)} ${instant.slice(11, 19)} UTC` : instant;
}

/** First 12 hex digits of a digest, with or without a `sha256:` prefix. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256[:-]/, "").slice(0, 12);
}

/** How people name the input of a pass: short commit, marked when the working tree differs, else the digest of the files. */
export function formatRevision(revision: { readonly commit?: string; readonly dirty: boolean; readonly digest: string }): string {
  if (revision.commit === undefined) return `files ${shortDigest(revision.digest)}`;
  return revision.dirty ? `${revision.commit.slice(0, 7)} with local changes` : revision.commit.slice(0, 7);
}

/** The same inside a sentence: `revision 4f2c1ab`, `files 7d272f984ecd`. */
export function revisionPhrase(revision: Parameters<typeof formatRevision>[0]): string {
  return revision.commit === undefined ? formatRevision(revision) : `revision ${formatRevision(revision)}`;
}

/** `1 error`, `2 errors`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
