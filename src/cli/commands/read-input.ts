import type { Host } from "../../app/host.ts";
import { failed } from "../../domain/failure.ts";

/** The text of a file that was named on the command line. */
export async function readInput(host: Host, path: string): Promise<string> {
  const text = await host.outputs.read(path);
  if (text === undefined) throw failed("invalid-input", `the file ${path} does not exist`);
  return text;
}
