import type { DesiredState } from "../../domain/desired.ts";
import { failed } from "../../domain/failure.ts";
import type { Model } from "../../domain/model.ts";
import { contractOf } from "../../domain/role-contract.ts";
import type { Prober } from "../../ports/probe.ts";
import type { VisionProbe } from "./activation-host.ts";

/** A white disc on black, 224 by 224 pixels: large enough for every vision encoder's smallest patch grid. */
const picture = [
  "iVBORw0KGgoAAAANSUhEUgAAAOAAAADgAQAAAAAyVldMAAABZ0lEQVR42u2YQY6EIBBF27hg6RE8CkebPhpH8QgsXRiYmTYdhaJeDK3p7oS/fYkUH8X6dbs1NTV9v4YYZ4",
  "118U9OgeM/XBQYH7oXmVmhL0K7wgBPLT+3f8KpvMlVs75kedEY9UX7DU7aLss7HTe46PWUKvrZYCwe11NOL1aWa/bQa+aVDLR7GKBYUW7CMne7FDp9J/leTAr9cTikcNYO",
  "TB6aTWEADzIXEGYssajLodMNSi1CaHLodYNSixCOOVyOQpvDcBTm1ibmIhRs7zzBTkJ3DPYSTidAI6E/AQ4SzifAUcLlamglDG+F8s3cvZsNNviN8OO+sndcNRfdmhfd8R",
  "f9kep/kfW/5Rdagfr2o77lqW+zsHurbwqx18Qu9YXmF3tq7Maxj6+PB5g6MK9g0uGMhOkKcxkmOsyCmCIxf3JyxcyLaRlzNiZ0zvY4FcB5Ak4ieIaB0w+cm/DEBWc1OOVp",
  "amr6LP0CW5e2KOyUxQQAAAAASUVORK5CYII=",
].join("");

const longestAnswer = 60_000;

/** The probe that a model has to pass before it counts as serving, or undefined when none of its roles needs vision. */
export function visionProbeFor(model: Model, desired: Pick<DesiredState, "roles">, prober: Prober): VisionProbe | undefined {
  const needsVision = model.roles.some((claim) =>
    contractOf(
      claim.role,
      desired.roles.find((role) => role.metadata.name === claim.role),
    ).requires.includes("vision"),
  );
  return needsVision ? (served, signal) => describePicture(prober, served, signal) : undefined;
}

async function describePicture(prober: Prober, { url, servedId }: Parameters<VisionProbe>[0], signal: AbortSignal): Promise<void> {
  const image = { path: "built-in picture", mediaType: "image/png", bytes: Buffer.from(picture, "base64") };
  const question = {
    endpoint: `${url}/v1`,
    model: servedId,
    prompt: "Describe this image succinctly.",
    image,
    maxTokens: 16,
    timeout: longestAnswer,
  };
  const answer = await prober.ask(question, signal);
  if (answer.status === 200 && answer.text.trim() !== "") return;
  const said = answer.error ?? (answer.status === 200 ? "the answer is empty" : "no reason given");
  throw failed("upstream", `a role of it needs vision, and it cannot describe a picture (HTTP ${answer.status}): ${said}`);
}
