import type { ActivationObservation, ServingTarget } from "../../domain/activation/activation.ts";
import { launchOf } from "../../domain/activation/launch.ts";
import { assess } from "../../domain/plan/assess.ts";
import type { Backend } from "../../domain/backend.ts";
import { failed } from "../../domain/failure.ts";
import { emptyMemory } from "../../domain/inventory.ts";
import type { LockEntry } from "../../domain/lock.ts";
import type { Model } from "../../domain/model.ts";
import type { Holding, StoreId } from "../../domain/observed.ts";
import { describeDefects } from "../../domain/plan/plan-declared.ts";
import { checkGpu } from "./memory.ts";
import { report, type Job, type StartJob } from "./activation-host.ts";

/** A target that may be started, with the program that starts it. */
export interface Ready {
  readonly target: ServingTarget;
  readonly program: string;
}

/** A declared model to be served. */
export interface Declared {
  readonly backend: Backend;
  readonly model: Model;
  readonly holding: Holding;
  readonly lock?: LockEntry;
}

type Seen = Extract<ActivationObservation, { state: "observed" }>;

/** Checks everything that can be checked before the running model is touched; throws HoldfastError with the first thing that is in the way. */
export async function preflight(job: StartJob, declared: Declared, seen: Seen): Promise<Ready> {
  report(job, "checking");
  const holding = await verified(job, declared.holding.store, declared.holding.ref);
  checkBytes(declared, holding);
  const launch = launchOf(declared.backend, declared.model, holding);
  if ("problem" in launch)
    throw failed(
      "invalid-input",
      `${declared.model.metadata.name} cannot be started: ${launch.problem}`,
      launch.remedy === undefined ? {} : { remedy: launch.remedy },
    );
  return ready(job, launch.target, seen);
}

/** The same for a model that is put back: its files must still be the ones that were proven. */
export async function preflightAgain(job: StartJob, target: ServingTarget, seen: Seen): Promise<Ready> {
  const { source } = target;
  if (source !== undefined) {
    const holding = await verified(job, source.store, source.ref);
    const broken = holding.artifacts.find(({ found }) => found.state !== "present");
    if (broken !== undefined) throw failed("integrity", `${target.model} cannot be put back: ${broken.path} is ${broken.found.state}`);
  }
  return ready(job, target, seen);
}

async function ready(job: StartJob, target: ServingTarget, seen: Seen): Promise<Ready> {
  const { host, endpoint } = job;
  if (!host.processes.isLocal(endpoint.host))
    throw failed("unsupported", `${job.url} is not on this machine, so nothing can be started there`, { remedy: "run Holdfast on that machine" });
  checkPort(job, seen);
  const program = await host.processes.resolveProgram(target.argv[0] ?? "", host.paths.root);
  for (const path of target.files) {
    if (!(await host.files.exists(path)))
      throw failed("not-found", `${target.model} cannot be started: ${path} does not exist`, {
        remedy: "put the file there, or change launch.chatTemplate",
      });
  }
  await checkGpu(job, target, seen.ours);
  return { target, program };
}

/** Somebody else's server is stopped only where the backend says so. */
function checkPort({ url, adopt }: StartJob, { strangers, listening, ours }: Seen): void {
  const [first] = strangers;
  if (first !== undefined && !adopt) {
    throw failed("conflict", `pid ${first.pid} (${first.command.join(" ").slice(0, 120)}) has the port of ${url}, and Holdfast did not start it`, {
      remedy: "stop it, set adopt: true on the Backend, or give the Backend another port",
    });
  }
  if (listening && first === undefined && ours.length === 0)
    throw failed("conflict", `a process of another user has the port of ${url}`, { remedy: "stop it, or give the Backend another port" });
}

/** Looks at the files: what was never hashed is hashed now. */
async function verified(job: Job, store: StoreId, ref: string): Promise<Holding> {
  const reader = job.host.readers.find((candidate) => candidate.store === store);
  if (reader === undefined) throw failed("unsupported", `nothing reads ${store}`);
  const quick = await reader.inspect(ref, "stat", job.signal);
  const found =
    quick !== undefined &&
    "artifacts" in quick &&
    quick.artifacts.some((artifact) => artifact.found.state === "present" && artifact.found.level === "presence")
      ? await hashed(job, reader, ref)
      : quick;
  if (found === undefined) throw failed("precondition", `${ref} is not in ${store} any more`, { retry: "transient" });
  if ("failure" in found) throw failed(found.failure.code, `${ref} cannot be read: ${found.failure.message}`);
  return found;
}

function hashed(job: Job, reader: Job["host"]["readers"][number], ref: string): ReturnType<typeof reader.inspect> {
  report(job, "hashing files that were never hashed");
  return reader.inspect(ref, "full", job.signal);
}

/** A model whose files fail verification is never started. */
function checkBytes({ backend, model, lock }: Declared, holding: Holding): void {
  const desired = { revision: { dirty: false, digest: "" }, models: [model], roles: [], backends: [backend], policies: [] };
  const stores = [{ state: "observed", store: holding.store, complete: true, holdings: [holding], unreadable: [], warnings: [] }] as const;
  const observed = { at: "", level: "stat", stores, serving: [] } as const;
  const assessment = assess(model, {
    desired,
    lock: { version: 1, entries: lock === undefined ? [] : [lock] },
    observed,
    memory: { ...emptyMemory, inventory: [ownItem(model, holding)] },
    upstream: {},
  });
  const { name } = model.metadata;
  if (assessment.state !== "held")
    throw failed("precondition", `${name} is not served from ${holding.ref}`, { retry: "transient", remedy: "plan again" });
  if (assessment.identity === "different") throw failed("integrity", `${name} has other content than the lock, so it is not started`);
  if (assessment.defects.length > 0)
    throw failed("integrity", `${name} is not started: ${describeDefects(assessment.defects)}`, {
      remedy: "holdfast reconcile repairs it where its bytes can be fetched",
    });
  if (assessment.unverified.length > 0)
    throw failed("integrity", `${name} is not started: ${assessment.unverified.length} locked files could not be hashed`);
}

/** Lets a model on a branch be found by the snapshot that was chosen for it. */
function ownItem(model: Model, holding: Holding): (typeof emptyMemory.inventory)[number] {
  const revision = model.source.kind === "huggingface" ? { revision: model.source.revision } : {};
  return {
    name: model.metadata.name,
    store: holding.store,
    ref: holding.ref,
    origin: "adopted",
    since: "",
    sizeBytes: 0,
    protect: false,
    ...revision,
  };
}
