/** What a machine can carry, and what to prefer on it (requirements 2.9). */
export interface Profile {
  readonly name: string;
  /** Memory for one model, in MiB. */
  readonly maxVramMb: number;
  /** Parts of quantization names, best first. */
  readonly preferredQuantizations: readonly string[];
  readonly bias: "vram_efficient" | "balanced" | "quality";
}

/** The deployment profiles that ImageWorks knows, with its limits. */
export const profiles: readonly Profile[] = [
  { name: "constrained_16gb", maxVramMb: 14_000, preferredQuantizations: ["q4", "awq", "int4"], bias: "vram_efficient" },
  { name: "balanced_24gb", maxVramMb: 22_000, preferredQuantizations: ["q5", "q6", "awq", "q4"], bias: "balanced" },
  { name: "multi_gpu_2x16gb", maxVramMb: 28_000, preferredQuantizations: ["q8", "fp8", "q6"], bias: "quality" },
  { name: "generous_96gb", maxVramMb: 90_000, preferredQuantizations: ["f16", "bf16", "fp16", "q8"], bias: "quality" },
  { name: "development", maxVramMb: 10_000, preferredQuantizations: ["q4", "int4"], bias: "vram_efficient" },
];

/** The profile in force. `limits` = it keeps models out; the one that is assumed without a GPU only orders them. */
export interface ChosenProfile {
  readonly profile: Profile;
  readonly from: "option" | "environment" | "gpu" | "default";
  readonly reason: string;
  readonly limits: boolean;
}

/** What decides a profile. */
export interface ProfileInput {
  /** `--profile`; `none` switches profiles off. */
  readonly option?: string;
  /** `IMAGEWORKS_DEPLOYMENT_PROFILE`. */
  readonly environment?: string;
  /** Total memory per GPU in MiB; undefined = there is none, or it cannot be read. */
  readonly gpus?: readonly number[];
}

/** Memory per GPU that is not for models, in MiB. */
const reserved = 2048;

/** The profile of a machine: what was asked for, else the environment, else by its GPUs. Undefined when profiles are switched off. */
export function chooseProfile(input: ProfileInput): ChosenProfile | { readonly unknown: string; readonly known: readonly string[] } | undefined {
  const { option, environment } = input;
  if (option === "none") return undefined;
  if (option !== undefined) {
    const profile = profileNamed(option);
    return profile === undefined
      ? { unknown: option, known: profiles.map(({ name }) => name) }
      : { profile, from: "option", reason: "asked for", limits: true };
  }
  const named = environment === undefined ? undefined : profileNamed(environment.trim());
  if (named !== undefined) return { profile: named, from: "environment", reason: "IMAGEWORKS_DEPLOYMENT_PROFILE", limits: true };
  const found = byGpus(input.gpus ?? []);
  const profile = profileNamed(found.name) ?? development;
  return found.seen
    ? { profile, from: "gpu", reason: found.reason, limits: true }
    : { profile, from: "default", reason: found.reason, limits: false };
}

const development: Profile = profiles.find(({ name }) => name === "development") ?? {
  name: "development",
  maxVramMb: 10_000,
  preferredQuantizations: [],
  bias: "vram_efficient",
};

function profileNamed(name: string): Profile | undefined {
  return profiles.find((profile) => profile.name === name);
}

interface ByGpus {
  readonly name: string;
  readonly reason: string;
  readonly seen: boolean;
}

function byGpus(totals: readonly number[]): ByGpus {
  const usable = totals.map((total) => total - reserved);
  const [first = 0, second = 0] = usable;
  const reason = `${totals.length} GPU${totals.length === 1 ? "" : "s"} with ${usable.join(" and ")} MiB for models`;
  if (usable.length === 0) return { name: "development", reason: "no GPU was found", seen: false };
  if (usable.length === 1) return { name: forOne(first), reason, seen: true };
  if (usable.length === 2) return { name: forTwo(first, second), reason, seen: true };
  return { name: forMany(usable.reduce((sum, each) => sum + each, 0)), reason, seen: true };
}

/** Two unlike GPUs count as the first alone. */
function forTwo(first: number, second: number): string {
  const alike = Math.max(first, second) / Math.max(1, Math.min(first, second)) < 1.2;
  if (!alike) return forOne(first);
  return (first + second) / 2 >= 14_000 ? "multi_gpu_2x16gb" : "development";
}

function forMany(all: number): string {
  if (all >= 60_000) return "generous_96gb";
  return all >= 40_000 ? "balanced_24gb" : "constrained_16gb";
}

function forOne(usable: number): string {
  if (usable >= 85_000) return "generous_96gb";
  if (usable >= 20_000) return "balanced_24gb";
  return usable >= 14_000 ? "constrained_16gb" : "development";
}
