import type { Plan } from "../domain/action.ts";
import type { Host } from "./host.ts";
import { preview, type PreviewOptions } from "./preview.ts";
import type { Project } from "./read-project.ts";
import { finish, type PassResult } from "./reconcile.ts";

/** Applies a saved plan instead of a fresh one. Each action checks its own preconditions, so that unrelated changes do not make the plan stale. */
export async function applyPlan(host: Host, project: Extract<Project, { state: "valid" }>, plan: Plan, options: PreviewOptions & { readonly command: string }, signal: AbortSignal): Promise<PassResult> {
  const release = await host.lock.acquire(options.command);
  try {
    const startedAt = host.clock.now();
    const current = await preview(host, project, options, signal);
    return await finish(host, { ...current, plan }, options, startedAt, signal);
  } finally {
    release();
  }
}
