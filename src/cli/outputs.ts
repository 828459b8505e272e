import { writeFileSync } from "node:fs";
import { failed } from "../domain/failure.ts";

/** One requested answer: a format, and a file when it does not go to stdout. */
export interface OutputRequest<Format extends string> {
  readonly format: Format;
  readonly file?: string;
}

/** Decodes `-o json -o sarif=drift.sarif`; without any, text on stdout. */
export function decodeOutputs<Format extends string>(
  requested: readonly string[],
  formats: readonly Format[],
): readonly OutputRequest<Format | "text">[] {
  const outputs = requested.map((text): OutputRequest<Format | "text"> => {
    const [name = "", file] = text.split(/=(.*)/s, 2);
    const format = [...formats, "text" as const].find((candidate) => candidate === name);
    if (format === undefined)
      throw failed("invalid-input", `unknown output format ${JSON.stringify(name)}`, { remedy: `one of: text, ${formats.join(", ")}` });
    return file === undefined || file === "" ? { format } : { format, file };
  });
  if (outputs.filter((output) => output.file === undefined).length > 1)
    throw failed("invalid-input", "only one output format can go to stdout", { remedy: "write the others to files: -o json=result.json" });
  return outputs.length === 0 ? [{ format: "text" }] : outputs;
}

/** Writes each requested answer where it belongs. */
export function writeOutputs<Format extends string>(outputs: readonly OutputRequest<Format>[], render: Readonly<Record<Format, () => string>>): void {
  // Files first: when one cannot be written, stdout has the error and not an answer before it.
  const [here, elsewhere] = [outputs.filter((output) => output.file === undefined), outputs.filter((output) => output.file !== undefined)];
  for (const { format, file = "" } of elsewhere) writeAnswer(file, render[format]());
  for (const { format } of here) process.stdout.write(render[format]());
}

function writeAnswer(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw failed("invalid-input", `the answer cannot be written to ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      remedy: "name a file in a folder that exists",
      cause: error,
    });
  }
}

/** A JSON answer: a versioned envelope, two-space indent. */
export function jsonAnswer(kind: string, body: object): string {
  return `${JSON.stringify({ apiVersion: "holdfast.dev/v1", kind, ...body }, undefined, 2)}\n`;
}
