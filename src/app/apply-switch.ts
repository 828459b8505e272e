import type { Action, Work } from "../domain/action.ts";
import type { Activated, SwitchTiming } from "../domain/activation/activation.ts";
import { stateFileOwner } from "../domain/activation/active-state.ts";
import type { Backend } from "../domain/backend.ts";
import { failed } from "../domain/failure.ts";
import { lockEntryOf } from "../domain/lock.ts";
import type { Clock } from "../ports/clock.ts";
import type { ProgressSink } from "../ports/progress.ts";
import { formatDuration } from "../report/quantities.ts";
import { activate, deactivate, restorePrevious, type ActivationResult, type SwitchOptions } from "./activation/activate.ts";
import type { ActivationHost, ServingMachine } from "./activation/activation-host.ts";
import { visionProbeFor } from "./activation/vision.ts";
import { placeOf } from "./activation/activation-host.ts";
import type { ExecuteContext } from "./execute-context.ts";
import type { Connections } from "./host.ts";
import { leftPlace } from "./activation/observe-activations.ts";

type SwitchWork = Extract<Work, { verb: "activate" | "deactivate" }>;

/** Everything that a switch needs, out of what is connected. */
export function activationHost(connections: Connections, clock: Clock, progress: ProgressSink): ActivationHost {
  const { machine, readers, serving, engines } = connections;
  const { processes, files, gpu, paths, apiKeyOf } = machine;
  return { clock, processes, files, gpu, paths, progress, readers, serving, engines, apiKeyOf };
}

/** Does what a plan says about the server of one backend, and says in a line what serves afterwards. */
export async function applySwitch(action: Action, work: SwitchWork, context: ExecuteContext): Promise<string> {
  const host = activationHost(context.connections, context.clock, context.progress);
  const backend = context.desired.backends.find((candidate) => candidate.metadata.name === work.backend);
  const options = switchOptions(action.id, backend, context);
  if (work.verb === "deactivate") return stop({ ...host, stateFile: context.connections.machine.stateFile }, backend, work.backend, options);
  if (backend === undefined) throw failed("precondition", `no manifest declares Backend ${work.backend} any more`, { retry: "transient" });
  const result =
    work.restore === true ? await restorePrevious(host, backend, options) : await serve(action, work, { host, backend, options, context });
  return outcomeWords(result);
}

/** The state file speaks about one backend only. */
export function switchOptions(
  id: string,
  backend: Backend | undefined,
  { desired, connections, signal }: Pick<ExecuteContext, "desired" | "connections" | "signal">,
): SwitchOptions {
  const owner = stateFileOwner(desired.backends)?.metadata.name;
  const isOwner = backend !== undefined && backend.metadata.name === owner;
  return { id, signal, ...(isOwner ? { stateFile: connections.machine.stateFile } : {}) };
}

interface ServeParts {
  readonly host: ActivationHost;
  readonly backend: Backend;
  readonly options: SwitchOptions;
  readonly context: ExecuteContext;
}

async function serve(
  action: Action,
  work: Extract<Work, { verb: "activate" }>,
  { host, backend, options, context }: ServeParts,
): Promise<ActivationResult> {
  const model = context.desired.models.find((candidate) => candidate.metadata.name === work.model);
  if (model === undefined) throw failed("precondition", `no manifest declares Model ${work.model} any more`, { retry: "transient" });
  const reader = host.readers.find((candidate) => candidate.store === action.store);
  const holding = await reader?.inspect(action.ref, "stat", context.signal);
  if (holding === undefined) throw failed("precondition", `${action.ref} is not there any more`, { retry: "transient" });
  if ("failure" in holding) throw failed(holding.failure.code, `${action.ref} cannot be read: ${holding.failure.message}`);
  const lock = lockEntryOf(context.lock, work.model);
  const probe = backend.activation.smokeTest ? visionProbeFor(model, context.desired, context.connections.machine.prober) : undefined;
  const request = {
    backend,
    model,
    holding,
    ...(lock === undefined ? {} : { lock }),
    ...(work.target === undefined ? {} : { target: work.target }),
    ...(probe === undefined ? {} : { probe }),
    ...(work.retry === undefined ? {} : { force: true }),
  };
  return activate(host, request, options);
}

async function stop(
  host: ActivationHost & Pick<ServingMachine, "stateFile">,
  backend: Backend | undefined,
  name: string,
  options: SwitchOptions,
): Promise<string> {
  const place = backend === undefined ? await leftPlace(host, name) : placeOf(backend, options.stateFile);
  if (place === undefined) throw failed("precondition", `where ${name} listened is not known any more`, { retry: "transient" });
  // A backend that has left owned the state file when its server is the one that is named there.
  const stateFile = backend === undefined ? { stateFile: host.stateFile } : {};
  await deactivate(host, { ...place, ...stateFile, adopt: backend?.adopt === true }, options);
  return `nothing serves on port ${place.port}`;
}

/** What serves now, and what the switch cost. */
export function outcomeWords({ outcome, activated, timing }: ActivationResult): string {
  const what = servingWords(activated);
  if (outcome === "unchanged") return `${what}, as it did before`;
  return timing === undefined ? what : `${what} after ${pauseWords(timing)}`;
}

function servingWords({ target, port }: Activated): string {
  return `serves as ${target.servedId} on port ${port}`;
}

function pauseWords({ withoutService }: SwitchTiming): string {
  return `${formatDuration(withoutService)} without service`;
}
