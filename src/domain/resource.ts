import type { SourceLocation } from "./diagnostic.ts";

/** The kinds of manifest. */
export type Kind = "Model" | "Role" | "Backend" | "Policy";

/** Identity of a declared thing, for example `model/qwen3-8b`. */
export type ResourceKey = `${Lowercase<Kind>}/${string}`;

/** What every manifest carries beside its spec, and where it was written. */
export interface Metadata {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly location: SourceLocation;
}

/** A length of time in milliseconds. */
export type Milliseconds = number;

/** An instant as ISO 8601 in UTC, for example `2026-11-21T11:50:02.000Z`. */
export type Instant = string;
