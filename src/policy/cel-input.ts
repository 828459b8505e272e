import type { CelInput } from "@bufbuild/cel";

/**
 * A JSON value as CEL sees it. Whole numbers become `int`, so that `action.bytesToFree * 2` has an overload; objects become maps, so that no name can
 * reach a prototype.
 */
export function toCelInput(value: unknown): CelInput {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCelInput);
  if (typeof value !== "object") return null;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return new Map(members.map(([key, member]) => [key, toCelInput(member)]));
}
