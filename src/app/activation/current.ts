import { identityProblem } from "../../domain/activation/standing.ts";
import { leaderLives, type ActivationRecord, type ServingTarget } from "../../domain/activation/activation.ts";
import { activeStateOf, decodeActiveState, type ActiveState } from "../../domain/activation/active-state.ts";
import type { ServingObservation } from "../../domain/observed.ts";
import { observeActivation } from "./journal.ts";
import type { ActivationHost, Place, Seen } from "./activation-host.ts";

/** What one single-port backend serves right now, and how that compares with what is written about it. */
export interface CurrentActivation {
  readonly backend: string;
  /**
   * `serving`: ours, and it answers for the model. `loading`: a start is under way. `silent`: ours lives and does not answer as it should. `foreign`: somebody
   * else's server. `stopped`: nothing runs. `unknown`: it cannot be told.
   */
  readonly state: "serving" | "loading" | "silent" | "foreign" | "stopped" | "unknown";
  /** In the shape of the state file; undefined when nothing that is known runs. */
  readonly active?: ActiveState;
  readonly record?: ActivationRecord;
  readonly served?: ServingObservation;
  /** Sentences for people: what does not fit together. */
  readonly notes: readonly string[];
}

type Looker = Pick<ActivationHost, "files" | "paths" | "processes" | "serving">;

/** Looks, and changes nothing: neither the record nor the state file, whatever is in them. */
export async function currentActivation(host: Looker, place: Place, signal: AbortSignal): Promise<CurrentActivation> {
  const { backend } = place;
  const reader = host.serving.find((candidate) => candidate.backend === backend);
  const [seen, served] = await Promise.all([observeActivation(host, place), reader?.observe(signal)]);
  if (seen.state === "unknown") return { backend, state: "unknown", ...(served === undefined ? {} : { served }), notes: [seen.failure.message] };
  const written = await readStateFile(host, place, seen);
  const stand = standOf(place.port, seen, served, written.active);
  const notes = [...(seen.recordProblem === undefined ? [] : [seen.recordProblem]), ...written.notes, ...stand.notes];
  return { backend, record: seen.record, ...(served === undefined ? {} : { served }), ...stand, notes };
}

type Stand = Pick<CurrentActivation, "state" | "active" | "notes">;

/** The same for a backend on another machine: only its answers can be looked at. */
export async function remoteActivation(serving: Looker["serving"], backend: string, signal: AbortSignal): Promise<CurrentActivation> {
  const served = await serving.find((candidate) => candidate.backend === backend)?.observe(signal);
  const notes = [served?.state === "unknown" ? served.failure.message : "it is on another machine, and Holdfast only looks at what it serves"];
  return { backend, ...standElsewhere(served), ...(served === undefined ? {} : { served }), notes };
}

/** How a backend on another machine stands, by what it answers. */
export function standElsewhere(served: ServingObservation | undefined): Pick<CurrentActivation, "state"> {
  if (served === undefined || served.state === "unknown") return { state: "unknown" };
  return { state: served.state === "down" || served.models.length === 0 ? "stopped" : "foreign" };
}

/** How a backend stands, out of what was observed; `written` is what the state file says of a server that lives. */
export function standOf(port: number, seen: Seen, served: ServingObservation | undefined, written?: ActiveState): Stand {
  const { committed, pending } = seen.record;
  if (committed !== undefined && leaderLives(committed, seen.ours))
    return { state: answers(committed.target, served) ? "serving" : "silent", active: activeStateOf(committed), notes: [] };
  if (seen.ours.length === 0) return theirs(port, seen, written);
  if (committed !== undefined && pending === undefined)
    return {
      state: "silent",
      notes: [
        `the server of ${committed.target.model} (pid ${committed.leader.pid}) has ended, and processes that it started are left; holdfast reconcile mends it`,
      ],
    };
  const note = `${pending?.target?.model ?? "a server"} is being started, or was when a switch was interrupted; holdfast reconcile sees it through`;
  return { state: "loading", notes: [note] };
}

function theirs(port: number, { strangers: [stranger], listening }: Seen, active: ActiveState | undefined): Stand {
  if (!listening && stranger === undefined) return { state: "stopped", notes: [] };
  const who = stranger === undefined ? "a process of another user" : `pid ${stranger.pid}`;
  return { state: "foreign", ...(active === undefined ? {} : { active }), notes: [`${who} has port ${port}, and Holdfast did not start it`] };
}

function answers(target: ServingTarget, served: ServingObservation | undefined): boolean {
  return served?.state === "serving" && served.healthy && identityProblem(target, served) === undefined;
}

interface Written {
  /** Only when the process that the file names lives and is the one it means. */
  readonly active?: ActiveState;
  readonly notes: readonly string[];
}

/** A process that started after the file says it did is another one with the same number. */
const clockSlack = 2;

async function readStateFile(host: Pick<ActivationHost, "files" | "processes">, { stateFile }: Place, { record }: Seen): Promise<Written> {
  if (stateFile === undefined) return { notes: [] };
  const text = await host.files.read(stateFile);
  if (text === undefined) return { notes: record.committed === undefined ? [] : [`${stateFile} is missing; holdfast reconcile writes it`] };
  const decoded = decodeActiveState(text);
  if ("problem" in decoded) return { notes: [`${stateFile} cannot be used: ${decoded.problem}; it is left as it is`] };
  const { state } = decoded;
  const found = host.processes.look(state.pid);
  if (found === undefined) return { notes: [`${stateFile} names pid ${state.pid}, which is not running`] };
  if (Date.parse(found.startedAt) / 1000 > state.started_at + clockSlack)
    return { notes: [`${stateFile} names pid ${state.pid}, which is another process by now (started ${found.startedAt})`] };
  return { active: state, notes: [] };
}
