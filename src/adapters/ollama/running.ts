import type { Holding, LoadedModel } from "../../domain/observed.ts";
import { isStaleRunner } from "../../domain/plan/kept-loaded.ts";
import type { OllamaApi } from "./api.ts";
import { decodeRunning } from "./listing.ts";
import { nameKey } from "./names.ts";

/** What runs under a name: usually nothing or one thing; after an upgrade the older content may run beside the new one. */
export async function runningUnder(api: OllamaApi, ref: string, signal: AbortSignal): Promise<readonly LoadedModel[]> {
  return decodeRunning(await api.running(signal)).get(nameKey(ref)) ?? [];
}

/** Of several runners under one name the older content is the one to know of: nobody can reach it by that name, and it has to go. */
export function notableRunner(contentId: Holding["contentId"], runners: readonly LoadedModel[] = []): LoadedModel | undefined {
  return runners.find((loaded) => isStaleRunner({ ...(contentId === undefined ? {} : { contentId }), loaded })) ?? runners[0];
}
