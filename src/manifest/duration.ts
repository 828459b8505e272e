import type { Milliseconds } from "../domain/resource.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Timers of the platform overflow beyond 2^31 ms; nothing may wait longer than this. */
export const longestTimer: Milliseconds = 24 * 86_400_000;

/** Milliseconds of a text such as `30s` or `14d`, or undefined when it is none. The pattern is that of schemas/common.schema.json. */
export function parseDuration(text: string): Milliseconds | undefined {
  const match = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d|w)$/.exec(text);
  const unit = units[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
