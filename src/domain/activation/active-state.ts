import { isEngine } from "./arguments.ts";
import type { Activated } from "./activation.ts";
import type { Backend } from "../backend.ts";

/** The state file `_staging/active_vllm.json` as ImageWorks' vLLM manager writes it (requirements 2.10). */
export interface ActiveState {
  readonly logical_name: string;
  readonly served_model_id: string;
  readonly port: number;
  readonly pid: number;
  /** Seconds since the epoch, with a fraction. */
  readonly started_at: number;
}

/** The one backend that the state file speaks about, as it has room for one only: managed ones come first, then vLLM, then the order of the backends. */
export function stateFileOwner(backends: readonly Backend[]): Backend | undefined {
  const engines = backends.filter((backend) => isEngine(backend.type));
  const managed = engines.filter((backend) => backend.active !== undefined);
  const candidates = managed.length > 0 ? managed : engines;
  return candidates.find((backend) => backend.type === "vllm") ?? candidates[0];
}

/** What the state file says of an activated model. */
export function activeStateOf({ target, leader, port, spawnedAt }: Activated): ActiveState {
  return { logical_name: target.model, served_model_id: target.servedId, port, pid: leader.pid, started_at: Date.parse(spawnedAt) / 1000 };
}

/** The bytes of the state file. */
export function encodeActiveState(state: ActiveState): string {
  const { logical_name, served_model_id, port, pid, started_at } = state;
  return `${JSON.stringify({ logical_name, served_model_id, port, pid, started_at }, undefined, 2)}\n`;
}

/** Reads a state file; says what is wrong with one that cannot be used, which is then left as it is. */
export function decodeActiveState(text: string): { readonly state: ActiveState } | { readonly problem: string } {
  const fields = fieldsOf(text);
  if (fields === undefined) return { problem: "it is not a JSON object" };
  const textless = ["logical_name", "served_model_id"].find((name) => textOf(fields.get(name)) === "");
  if (textless !== undefined) return { problem: `${textless} is missing or empty` };
  const numberless = ["port", "pid", "started_at"].find((name) => numberOf(fields.get(name), name !== "started_at") === 0);
  if (numberless !== undefined) return { problem: `${numberless} is missing or not a positive number` };
  return {
    state: {
      logical_name: textOf(fields.get("logical_name")),
      served_model_id: textOf(fields.get("served_model_id")),
      port: numberOf(fields.get("port"), true),
      pid: numberOf(fields.get("pid"), true),
      started_at: numberOf(fields.get("started_at"), false),
    },
  };
}

function fieldsOf(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? new Map<string, unknown>(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown, whole: boolean): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 && (!whole || Number.isSafeInteger(value)) ? value : 0;
}
