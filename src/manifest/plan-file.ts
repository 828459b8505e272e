import type { Plan } from "../domain/action.ts";
import { failed } from "../domain/failure.ts";
import { canonicalJson } from "../domain/json.ts";
import { planDigest } from "../domain/plan/plan.ts";
import { placeText } from "./finding.ts";
import { instanceSegments } from "./schema-findings.ts";
import { validate } from "./validate.ts";
import type { WrittenPlan } from "./written/plan.ts";

/** Writes a plan as JSON for people and programs: indented, keys sorted, the same bytes for the same plan. */
export function encodePlan(plan: Plan): string {
  const written: WrittenPlan = plan;
  return `${JSON.stringify(JSON.parse(canonicalJson(written)), null, 2)}\n`;
}

/** Reads a saved plan. Throws HoldfastError `invalid-input` when it is not one, is of another format version, or was changed since it was saved. */
export function decodePlan(text: string): Plan {
  const value = parse(text);
  checkVersion(value);
  const checked = validate("plan", value);
  if ("errors" in checked) {
    const [first] = checked.errors;
    throw failed(
      "invalid-input",
      `read the plan file: ${placeText(instanceSegments(first?.instancePath ?? ""))} ${first?.message ?? "is not accepted"}`,
      { remedy: makeAnew },
    );
  }
  const plan: Plan = checked.data;
  const { digest, ...body } = plan;
  if (planDigest(body) !== digest)
    throw failed("invalid-input", "read the plan file: its content does not have the digest that it names, so it was changed after it was saved", {
      remedy: makeAnew,
    });
  return plan;
}

const makeAnew = "make the plan again with `holdfast reconcile --dry-run`";

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failed("invalid-input", "read the plan file: it is not JSON", { remedy: makeAnew, cause });
  }
}

function checkVersion(value: unknown): void {
  const version = typeof value === "object" && value !== null && "formatVersion" in value ? value.formatVersion : undefined;
  if (version === "1.0") return;
  if (typeof version !== "string") throw failed("invalid-input", "read the plan file: it names no format version", { remedy: makeAnew });
  throw failed("invalid-input", `read the plan file: it has format version ${version.slice(0, 20)}, this Holdfast reads 1.0`, {
    remedy: "apply it with the Holdfast that made it, or make the plan again",
  });
}
