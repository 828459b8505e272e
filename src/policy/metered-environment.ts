import type { CelEnv, CelFunc, CelInput, CelValue } from "@bufbuild/cel";
import type { Cel } from "./cel-module.ts";
import type { Meter } from "./meter.ts";

/** Called once per round of every comprehension; no expression can name it. */
export const roundFunction = "@round";

const maximumPattern = 256;
const maximumMatchedText = 1_024;

/**
 * The standard functions of CEL, each of which pays for its work before it does it: otherwise a chain of `.map(x, x + x)` takes all memory, and a
 * counted repetition in a regular expression takes seconds.
 */
export function meteredEnvironment(cel: Cel, meter: Meter): CelEnv {
  const standard = [...cel.celEnv().funcs];
  const round = cel.celFunc(roundFunction, [cel.CelScalar.BOOL], cel.CelScalar.BOOL, (condition) => {
    meter.spend(1);
    return condition;
  });
  return cel.celEnv({ funcs: [...standard.map((original) => metered(cel, original, meter)), round] });
}

function metered(cel: Cel, original: CelFunc, meter: Meter): CelFunc {
  const invoke = (target: CelValue | undefined, args: CelValue[]): CelInput => {
    meter.spend(costOf(cel, original.name, target === undefined ? args : [target, ...args], meter.left));
    if (original.name === "_+_") {
      const joined = joinedLists(cel, args);
      if (joined !== undefined) return joined;
    }
    const result = original.call(0, target, args);
    if (result === undefined || cel.isCelError(result)) throw result ?? new Error(`no overload of ${original.name}`);
    return result;
  };
  if (original.target === undefined)
    return cel.celFunc(original.name, original.arguments, original.result, (...args: CelValue[]) => invoke(undefined, args));
  return cel.celMethod(original.name, original.target, original.arguments, original.result, function (this: CelValue, ...args: CelValue[]) {
    return invoke(this, args);
  });
}

function costOf(cel: Cel, name: string, operands: readonly CelValue[], limit: number): number {
  if (name === "matches") return 1 + matchCost(operands);
  if (name === "_==_" || name === "_!=_" || name === "@in")
    return 1 + operands.reduce<number>((sum, operand) => sum + nodesIn(cel, operand, limit), 0);
  const length = operands.reduce<number>((sum, operand) => sum + lengthOf(operand), 0);
  if (name !== "_+_") return 1 + Math.ceil(length / 64);
  return 1 + Math.ceil(length / 64) + Math.ceil(operands.reduce<number>((sum, operand) => sum + (cel.isCelList(operand) ? operand.size : 0), 0) / 32);
}

/** The nested lists that the library builds on `+` take quadratic time to walk: a flat one instead. */
function joinedLists(cel: Cel, args: readonly CelValue[]): CelInput | undefined {
  const [left, right] = args;
  if (!cel.isCelList(left) || !cel.isCelList(right)) return undefined;
  return cel.celList([...left, ...right]);
}

/** Text length times pattern length times every counted repetition bounds the steps of a linear-time matcher. */
function matchCost(operands: readonly CelValue[]): number {
  const [text, pattern] = operands;
  if (typeof text !== "string" || typeof pattern !== "string") return 0;
  if (pattern.length > maximumPattern) throw new Error(`a pattern of more than ${maximumPattern} characters`);
  if (text.length > maximumMatchedText) throw new Error(`matching a text of more than ${maximumMatchedText} characters`);
  const repetitions = [...pattern.matchAll(/\{(\d{1,6})(?:,(\d{0,6}))?\}/g)].map(([, from, to]) => Math.max(1, Number(from ?? 1), Number(to ?? 1)));
  return Math.ceil((text.length * pattern.length * repetitions.reduce((product, times) => product * times, 1)) / 16);
}

function lengthOf(value: CelValue): number {
  return typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
}

/** Values inside a value, shared ones counted each time they would be compared; stops counting above the limit. */
function nodesIn(cel: Cel, value: CelValue, limit: number): number {
  if (limit <= 0) return 1;
  if (!cel.isCelList(value) && !cel.isCelMap(value)) return Math.ceil(lengthOf(value) / 64);
  let nodes = 1;
  for (const member of value.values()) {
    nodes += 1 + nodesIn(cel, member, limit - nodes);
    if (nodes > limit) break;
  }
  return nodes;
}
