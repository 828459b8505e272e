import { readPrompts } from "../../app/selection/probe.ts";
import { failed } from "../../domain/failure.ts";
import type { Session } from "../session.ts";
import { runProbe, type ProbeOptions } from "./probe-command.ts";

/** `holdfast probe-vision NAME IMAGE`: lets the model describe a picture, and keeps whether it could. */
export async function probeVision(session: Session, options: ProbeOptions, [name = "", image = ""]: readonly string[]): Promise<number> {
  return runProbe(session, options, name, async ({ candidate }, host) => {
    const stated = candidate.provenance["vision"];
    if (candidate.capabilities["vision"] !== true && stated !== undefined && stated !== "probe" && options.force !== true) {
      throw failed("unsupported", `capability error: ${candidate.name} cannot do vision (source: ${stated})`, {
        remedy: "choose a model that sees, or ask it all the same with --force",
      });
    }
    return { image, prompts: options.prompt ?? (await readPrompts(host)) };
  });
}
