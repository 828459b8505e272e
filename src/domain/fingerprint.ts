import { sha256, type Sha256 } from "./digest.ts";
import { compareText } from "./diagnostic.ts";
import type { Holding } from "./observed.ts";

/**
 * What of a holding must not change between plan and apply: reference, content id and, for every file, whether it is there with its size or proven
 * to be wrong. The verification level is left out, so that hashing in between does not make a plan stale.
 */
export function fingerprint(holding: Holding): Sha256 {
  const files = holding.artifacts
    .toSorted((a, b) => compareText(a.path, b.path))
    .map(({ path, size, blob, found }) => `${path}\0${size}\0${blob}\0${found.state}${found.state === "incomplete" ? `:${found.size}` : ""}\n`);
  return sha256(`${holding.store}\n${holding.ref}\n${holding.contentId ?? ""}\n${files.join("")}`);
}

/** True when the file is proven to have other bytes than the store's own metadata declares. */
export function isCorrupt(artifact: Holding["artifacts"][number]): boolean {
  const { found, declaredSha256 } = artifact;
  return found.state === "present" && found.level !== "presence" && declaredSha256 !== undefined && found.sha256 !== declaredSha256;
}
