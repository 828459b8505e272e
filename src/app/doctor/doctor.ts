import { toFailure } from "../../domain/failure.ts";
import { emptyMemory } from "../../domain/inventory.ts";
import type { Observation } from "../../domain/observed.ts";
import type { Check } from "./check.ts";
import { examineRegistry } from "./registry-checks.ts";
import { examineServing } from "./serving-checks.ts";
import { compareVersions, versionChecks } from "./versions.ts";
import type { Host } from "../host.ts";
import { observe } from "../observe.ts";
import { readProject, type Project } from "../read-project.ts";

/** What the doctor is told about the program it runs in. */
export interface ProgramFacts {
  readonly nodeVersion: string;
  readonly minimumNode: string;
  readonly gitVersion?: string;
}

/** Looks at everything a pass needs and says what is wrong and how to mend it. Reads only, apart from opening the state database. */
export async function examine(host: Host, program: ProgramFacts, signal: AbortSignal): Promise<readonly Check[]> {
  const project = await readProject(host, signal);
  return [
    nodeCheck(program),
    gitCheck(program, project),
    projectCheck(project),
    await stateCheck(host),
    ...(await connectionChecks(host, project, signal)),
  ];
}

function nodeCheck({ nodeVersion, minimumNode }: ProgramFacts): Check {
  const ok = compareVersions(nodeVersion, minimumNode) >= 0;
  return {
    id: "DOC-NODE-VERSION",
    state: ok ? "ok" : "failed",
    fact: `Node ${nodeVersion}`,
    ...(ok ? {} : { remedy: `install Node ${minimumNode} or newer` }),
  };
}

function gitCheck({ gitVersion }: ProgramFacts, project: Project): Check {
  if (gitVersion === undefined)
    return { id: "DOC-GIT", state: "warning", fact: "git was not found", remedy: "install git: without it no status can name a commit" };
  const commit = project.state === "valid" ? project.desired.revision.commit : undefined;
  if (commit === undefined)
    return {
      id: "DOC-GIT",
      state: "warning",
      fact: `git ${gitVersion}; the project is not in a repository with a commit`,
      remedy: "git init, then commit the manifests",
    };
  return { id: "DOC-GIT", state: "ok", fact: `git ${gitVersion}, commit ${commit.slice(0, 10)}` };
}

function projectCheck(project: Project): Check {
  if (project.state === "invalid") {
    const errors = project.diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
    return {
      id: "DOC-MANIFESTS",
      state: "failed",
      fact: `the manifests have ${errors} errors`,
      remedy: "holdfast validate shows each with its place",
    };
  }
  const { models, backends, roles, policies } = project.desired;
  return {
    id: "DOC-MANIFESTS",
    state: "ok",
    fact: `${models.length} models, ${backends.length} backends, ${roles.length} roles, ${policies.length} policies, ${project.lock.entries.length} locked`,
  };
}

async function stateCheck(host: Host): Promise<Check> {
  try {
    const memory = await host.state.load();
    return { id: "DOC-STATE", state: "ok", fact: `state database readable, ${memory.inventory.length} models in the inventory` };
  } catch (error) {
    const failure = toFailure(error);
    return { id: "DOC-STATE", state: "failed", fact: failure.message, ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }) };
  }
}

async function connectionChecks(host: Host, project: Project, signal: AbortSignal): Promise<readonly Check[]> {
  if (project.state === "invalid") return [];
  const memory = await host.state.load().catch(() => emptyMemory);
  const desired = host.withDefaults(project.desired, memory);
  const connections = await host.connect(desired, "server", { memory, lock: project.lock });
  const observed = await observe(connections, { level: "presence" }, host.clock, signal);
  return [
    ...observed.stores.flatMap(storeChecks),
    ...(await examineServing(desired.backends, observed.serving, connections.machine, signal)),
    ...(await examineRegistry(host, { ...project, desired }, observed)),
  ];
}

function storeChecks(observation: Observation): readonly Check[] {
  const id = observation.store.startsWith("ollama:") ? "DOC-OLLAMA" : observation.store === "huggingface" ? "DOC-HF-CACHE" : "DOC-FOLDERS";
  if (observation.state === "unknown") {
    const { failure, store } = observation;
    return [
      {
        id: `${id}-REACHABLE`,
        state: "failed",
        fact: `${store}: ${failure.message}`,
        ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }),
      },
    ];
  }
  const { store, version, holdings, unreadable, freeBytes } = observation;
  const free = freeBytes === undefined ? "" : `, ${(freeBytes / 1e9).toFixed(1)} GB free`;
  const checks: Check[] = [
    { id: `${id}-REACHABLE`, state: "ok", fact: `${store}: ${holdings.length} models${version === undefined ? "" : `, version ${version}`}${free}` },
  ];
  if (id === "DOC-OLLAMA" && version !== undefined) checks.push(...versionChecks("ollama", version));
  for (const item of unreadable)
    checks.push({
      id: `${id}-UNREADABLE`,
      state: "warning",
      fact: `${store}: ${item.ref}: ${item.failure.message}`,
      ...(item.failure.remedy === undefined ? {} : { remedy: item.failure.remedy }),
    });
  return checks;
}
