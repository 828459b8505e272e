import { defaultTextPrompt } from "../../app/selection/probe.ts";
import type { Session } from "../session.ts";
import { runProbe, type ProbeOptions } from "./probe-command.ts";

/** `holdfast probe-text NAME`: lets the model answer a question and measures it. */
export async function probeText(session: Session, options: ProbeOptions, [name = ""]: readonly string[]): Promise<number> {
  return runProbe(session, options, name, async () => ({ prompts: options.prompt ?? [defaultTextPrompt] }));
}
