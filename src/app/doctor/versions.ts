import type { Check } from "./check.ts";

const vulnerableBelow = {
  ollama: { version: "0.17.1", why: "CVE-2026-7482 (heap leak by malformed GGUF files)" },
  vllm: { version: "0.18.0", why: "CVE-2026-27893 (code execution while loading)" },
} as const;

/** A warning when a program is older than the version that closed a known hole. */
export function versionChecks(program: keyof typeof vulnerableBelow, version: string): readonly Check[] {
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
