/** A JSON object whose members are not known yet. */
export type Unknowns = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Unknowns {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function recordOf(value: unknown): Unknowns {
  return isRecord(value) ? value : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that says something: not empty, not the servers' word for nothing. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value !== "unknown" ? value : undefined;
}

export function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}

/** The instant as we write it, or undefined for a text that is no date and for Go's zero time. */
export function instantOf(value: unknown): string | undefined {
  if (typeof value !== "string" || value.startsWith("0001-")) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

/** Leaves out members that are undefined, as `exactOptionalPropertyTypes` wants it. */
export function defined<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept: { [K in keyof T]?: NonNullable<T[K]> } = {};
  for (const key in value) {
    const member = value[key];
    if (member !== undefined && member !== null) kept[key] = member;
  }
  return kept;
}
