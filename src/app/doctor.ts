import { toFailure } from "../domain/failure.ts";
import { emptyMemory } from "../domain/inventory.ts";
import type { Observation, ServingObservation } from "../domain/observed.ts";
import type { Host } from "./host.ts";
import { observe } from "./observe.ts";
import { readProject, type Project } from "./read-project.ts";

/** One checked fact with its remedy; ids are stable and explained in the docs. */
export interface Check {
  readonly id: string;
  readonly state: "ok" | "warning" | "failed";
  readonly fact: string;
  readonly remedy?: string;
}

/** What the doctor is told about the program it runs in. */
export interface ProgramFacts {
  readonly nodeVersion: string;
  readonly minimumNode: string;
  readonly gitVersion?: string;
}

const vulnerableBelow = {
  ollama: { version: "0.17.1", why: "CVE-2026-7482 (heap leak by malformed GGUF files)" },
  vllm: { version: "0.18.0", why: "CVE-2026-27893 (code execution while loading)" },
} as const;

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
  const observed = await observe(await host.connect(desired, "server", { memory, lock: project.lock }), { level: "presence" }, host.clock, signal);
  const types = new Map(desired.backends.map((backend) => [backend.metadata.name, backend.type]));
  return [
    ...observed.stores.flatMap(storeChecks),
    ...observed.serving.map((serving) => servingCheck(serving, types.get(serving.backend) ?? "openai")),
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

function versionChecks(program: keyof typeof vulnerableBelow, version: string): readonly Check[] {
  const { version: minimum, why } = vulnerableBelow[program];
  if (!/^\d+\.\d+/.test(version) || version.startsWith("0.0.0") || compareVersions(version, minimum) >= 0) return [];
  return [
    {
      id: `DOC-${program.toUpperCase()}-VERSION`,
      state: "warning",
      fact: `${program} ${version} is affected by ${why}`,
      remedy: `upgrade to ${minimum} or newer`,
    },
  ];
}

function servingCheck(serving: ServingObservation, type: string): Check {
  const id = `DOC-${type.toUpperCase()}`;
  if (serving.state === "unknown")
    return {
      id,
      state: "warning",
      fact: `${serving.backend}: ${serving.failure.message}`,
      ...(serving.failure.remedy === undefined ? {} : { remedy: serving.failure.remedy }),
    };
  if (serving.state === "down")
    return { id, state: "warning", fact: `${serving.backend}: nothing listens there`, remedy: "start the server, or remove the backend" };
  const [outdated] = type === "vllm" && serving.version !== undefined ? versionChecks("vllm", serving.version) : [];
  if (outdated !== undefined) return outdated;
  return {
    id,
    state: serving.healthy ? "ok" : "warning",
    fact: `${serving.backend}: serves ${serving.models.map((model) => model.id).join(", ") || "nothing"}`,
  };
}

/** Compares dotted version numbers; suffixes are ignored. */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string): readonly number[] =>
    version
      .replace(/^v/, "")
      .split(/[.+-]/)
      .slice(0, 3)
      .map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
