import type { ActivationObservation } from "../activation/activation.ts";
import type { Assessment } from "./assess.ts";
import type { DesiredState } from "../desired.ts";
import type { Memory } from "../inventory.ts";
import type { LockFile } from "../lock.ts";
import type { Holding, ObservedState } from "../observed.ts";
import type { Instant, Milliseconds } from "../resource.ts";
import type { UpstreamState } from "../upstream.ts";
import type { Action, Blocked, Bookkeeping } from "../action.ts";

/** How far deleting may go. */
export interface PruneOptions {
  /** `off`: what left Git is only reported; `forget`: disowned, bytes kept; `deprecate`: never purged; `purge`: deprecated, then purged after the grace period. */
  readonly mode: "purge" | "deprecate" | "forget" | "off";
  readonly grace: Milliseconds;
  /** More deletions than this at once need confirmation. */
  readonly maxDeletions: number;
  /** More than this share of the inventory (and more than one model) needs confirmation. */
  readonly maxDeletionPercent: number;
  /** Number of deletions a person has confirmed (`--yes-delete N`). */
  readonly confirmedDeletions: number;
  /** An empty desired state may delete (`--allow-empty`). */
  readonly allowEmpty: boolean;
}

/** What a person or the settings decided about planning. */
export interface PlanOptions {
  readonly prune: PruneOptions;
  readonly unmanaged: "ignore" | "import" | "deprecate" | "purge";
  /** Models whose different bytes may be replaced though Holdfast did not put them there (`--replace NAME`). */
  readonly replace: readonly string[];
  /** Only these models are acted on; empty = all. */
  readonly only: readonly string[];
  /** A person looked at a suspicious observation and accepts it (`--accept-loss`). */
  readonly acceptLoss: boolean;
  /** A person asks to start again what failed too often or too recently (`activate-model`). */
  readonly retryStarts?: boolean;
}

/** Everything a plan depends on. Equal inputs give an equal plan. */
export interface PlanInput {
  readonly desired: DesiredState;
  readonly lock: LockFile;
  readonly lockDigest?: string;
  readonly observed: ObservedState;
  readonly upstream: UpstreamState;
  readonly memory: Memory;
  /** Records and live servers of single-port backends, sorted by backend; undefined = not looked at. */
  readonly activations?: readonly ActivationObservation[];
  readonly options: PlanOptions;
  readonly now: Instant;
  readonly toolVersion: string;
  /** Gives a name to a holding that nobody declared; `taken` are the names in use. */
  readonly nameFor: (holding: Holding, taken: ReadonlySet<string>) => string;
}

/** An action before it has an id; dependencies name other drafts by object and verb. */
export type ActionDraft = Omit<Action, "id" | "dependsOn"> & { readonly after: readonly string[] };

/** What one rule of the planner contributes. */
export interface PlanPart {
  readonly actions: readonly ActionDraft[];
  readonly blocked: readonly Blocked[];
  readonly bookkeeping: readonly Bookkeeping[];
}

/** The contribution of a rule that has nothing to say. */
export const nothing: PlanPart = { actions: [], blocked: [], bookkeeping: [] };

/** A rule's contribution of one action. */
export function act(...actions: readonly ActionDraft[]): PlanPart {
  return { ...nothing, actions };
}

/** A rule's contribution of one blocked thing. */
export function block(blocked: Blocked): PlanPart {
  return { ...nothing, blocked: [blocked] };
}

/** Joins contributions in their order. */
export function join(parts: readonly PlanPart[]): PlanPart {
  return {
    actions: parts.flatMap((part) => part.actions),
    blocked: parts.flatMap((part) => part.blocked),
    bookkeeping: parts.flatMap((part) => part.bookkeeping),
  };
}

/** The parts of an action that say which declared model it is about. */
export function subjectOf(
  assessment: Exclude<Assessment, { state: "remote" }>,
  ref: string,
): Pick<ActionDraft, "object" | "name" | "store" | "ref" | "location" | "declared"> {
  const { metadata, protect, lifecycle, source } = assessment.model;
  const declared = {
    protect,
    ...(lifecycle.purgeAfter === undefined ? {} : { purgeAfter: lifecycle.purgeAfter }),
    ...(source.kind === "huggingface" ? { revision: source.revision } : {}),
  };
  return { object: `model/${metadata.name}`, name: metadata.name, store: assessment.store, ref, location: metadata.location, declared };
}

/** An action that changes only what Holdfast remembers. */
export function recordOnly(
  subject: Pick<ActionDraft, "object" | "name" | "store" | "ref" | "location" | "declared">,
  work: Extract<ActionDraft["work"], { verb: "import" | "deprecate" | "undeprecate" | "forget" }>,
  cause: ActionDraft["cause"],
  reason: string,
): ActionDraft {
  return {
    ...subject,
    verb: work.verb,
    cause,
    reason,
    risk: "none",
    bytesToDownload: 0,
    sizeUnknown: false,
    bytesToFree: 0,
    work,
    preconditions: [],
    after: [],
  };
}
