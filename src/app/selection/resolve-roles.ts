import type { Refused, Selected } from "../../domain/selection/selection.ts";
import type { SelectionRequest } from "../../domain/selection/hurdles.ts";
import { selectFrom, type SelectionView } from "./select.ts";

/** Roles that are resolved when nobody names any (requirement S3.9). */
export const defaultRoles: readonly string[] = ["caption", "keywords", "description"];

/** What became of each role. */
export interface Resolution {
  readonly resolved: readonly (Selected & { readonly role: string })[];
  readonly failed: readonly Refused[];
  /** One structured line for logs: `event_type=role_resolution` with one mapping per role. */
  readonly log: Readonly<Record<string, unknown>>;
}

/** Resolves roles to models, each for itself: one that fails hides no other. */
export function resolveRoles(view: SelectionView, roles: readonly string[], request: Omit<SelectionRequest, "asked">, at: string): Resolution {
  const answers = roles.map((role) => ({ role, answer: selectFrom(view, { ...request, asked: `role/${role}` }) }));
  const resolved = answers.flatMap(({ role, answer }) => (answer.state === "selected" ? [{ ...answer, role }] : []));
  return {
    resolved,
    failed: answers.flatMap(({ answer }) => (answer.state === "refused" ? [answer] : [])),
    log: {
      event_type: "role_resolution",
      timestamp: at,
      roles: Object.fromEntries(answers.map(({ role, answer }) => [role, answer.state === "selected" ? answer.candidate.name : null])),
      ...Object.fromEntries(
        resolved.flatMap(({ role, candidate, modelId }) => [
          [`${role}_role`, role],
          [`${role}_model`, candidate.name],
          [`${role}_model_id`, modelId],
        ]),
      ),
    },
  };
}
