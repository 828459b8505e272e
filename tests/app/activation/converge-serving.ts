import { decideServing, type ServingDecision, type Wanted } from "../../../src/domain/activation/decision.ts";
import { launchOf } from "../../../src/domain/activation/launch.ts";
import type { Backend } from "../../../src/domain/backend.ts";
import { activate, deactivate, restorePrevious, type ActivationResult, type SwitchOptions } from "../../../src/app/activation/activate.ts";
import { placeOf, type ActivationHost } from "../../../src/app/activation/activation-host.ts";
import { observeActivation } from "../../../src/app/activation/journal.ts";
import type { Declared } from "../../../src/app/activation/preflight.ts";

/** What became of one backend. */
export interface Convergence {
  readonly decision: ServingDecision;
  readonly result?: ActivationResult;
}

/**
 * Looks at one backend, decides, and does what was decided: from whatever a switch that was killed left behind, either the declared or the previous
 * model serves afterwards. `declared` undefined means that nothing may be served.
 */
export async function convergeServing(
  host: ActivationHost,
  backend: Backend,
  declared: Omit<Declared, "backend"> | undefined,
  options: SwitchOptions,
): Promise<Convergence> {
  const place = placeOf(backend, options.stateFile);
  const reader = host.serving.find((candidate) => candidate.backend === backend.metadata.name);
  const [observation, serving] = await Promise.all([observeActivation(host, place), reader?.observe(options.signal)]);
  const decision = decideServing({ backend, wanted: wantedOf(backend, declared), observation, serving, now: host.clock.now() });
  switch (decision.step?.verb) {
    case undefined:
      return { decision };
    case "deactivate":
      await deactivate(host, { ...place, adopt: backend.adopt }, options);
      return { decision };
    case "restore":
      return { decision, result: await restorePrevious(host, backend, options) };
    case "activate":
      return declared === undefined ? { decision } : { decision, result: await activate(host, { backend, ...declared }, options) };
  }
}

function wantedOf(backend: Backend, declared: Omit<Declared, "backend"> | undefined): Wanted {
  if (declared === undefined) return { state: "nothing" };
  const launch = launchOf(backend, declared.model, declared.holding);
  if ("target" in launch) return { state: "ready", target: launch.target };
  return {
    state: "unservable",
    model: declared.model.metadata.name,
    cause: "config",
    reason: launch.problem,
    ...(launch.remedy === undefined ? {} : { remedy: launch.remedy }),
  };
}
