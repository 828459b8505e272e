import { leaderLives, type Activated, type ActivationObservation, type ServingTarget } from "./activation.ts";
import type { Failure } from "../failure.ts";
import type { ServingObservation } from "../observed.ts";

/** How the model that was proven last stands now. */
export type Standing =
  | { readonly kind: "serving"; readonly activated: Activated }
  | { readonly kind: "silent"; readonly failure: Failure }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "none" };

type Seen = Extract<ActivationObservation, { state: "observed" }>;
type Serving = Extract<ServingObservation, { state: "serving" }>;

/** How the committed model stands. While it was being stopped, a last healthy answer proves nothing. */
export function standingOf({ record, ours }: Seen, serving: ServingObservation | undefined): Standing {
  const { committed, pending } = record;
  if (committed === undefined) return { kind: "none" };
  const { model } = committed.target;
  if (!leaderLives(committed, ours)) return { kind: "gone", why: `the server of ${model} (pid ${committed.leader.pid}) is not running any more` };
  if (pending?.phase === "stopping") return { kind: "broken", why: `${model} was being stopped when the last switch was interrupted` };
  return answering(committed, serving ?? { state: "unknown", backend: "", failure: unread });
}

const unread: Failure = { code: "unsupported", retry: "terminal", message: "nothing reads what this backend serves" };

function answering(activated: Activated, serving: ServingObservation): Standing {
  const { target, leader } = activated;
  switch (serving.state) {
    case "unknown":
      return { kind: "silent", failure: serving.failure };
    case "down":
      return { kind: "broken", why: `the server of ${target.model} (pid ${leader.pid}) runs and does not answer` };
    case "serving": {
      const problem = serving.healthy ? identityProblem(target, serving) : "is not healthy";
      return problem === undefined ? { kind: "serving", activated } : { kind: "broken", why: `the server of ${target.model} ${problem}` };
    }
  }
}

/** What a server says of itself that is not what a target is, or undefined when it is the target as far as it tells. */
export function identityProblem(
  { servedId, root }: Pick<ServingTarget, "servedId" | "root">,
  { models }: Pick<Serving, "models">,
): string | undefined {
  const served = models.find((model) => model.id === servedId);
  if (served === undefined) return `serves ${models.length === 0 ? "nothing" : models.map((model) => model.id).join(", ")} instead of ${servedId}`;
  return root !== undefined && served.root !== root ? `serves ${served.root ?? "an unnamed model"} as ${servedId} instead of ${root}` : undefined;
}
