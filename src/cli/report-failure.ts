import { CommanderError } from "commander";
import { exitCodes } from "../app/exit-code.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import { HoldfastError, toFailure, type Failure } from "../domain/failure.ts";
import { exitCodeOfFailure } from "./failure-exit.ts";
import { Exit } from "./session.ts";

interface Ending {
  readonly exitCode: number;
  readonly failure: Failure;
  readonly diagnostics?: readonly Diagnostic[];
}

/** Says why a command failed, as text on stderr and, where JSON was asked for, as an object in the place of the answer. */
export async function reportFailure(error: unknown, args: readonly string[]): Promise<number> {
  if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
  const ending = endingOf(error);
  const { renderFailure } = await import("../report/diagnostics-text.ts");
  // Commander and those who throw Exit have printed their reasons.
  if (!(error instanceof CommanderError) && !(error instanceof Exit)) process.stderr.write(renderFailure(ending.failure));
  if (!(error instanceof HoldfastError) && ending.failure.code === "unexpected" && error instanceof Error)
    process.stderr.write(`${error.stack ?? ""}\n`);
  await answerInJson(ending, args);
  return ending.exitCode;
}

function endingOf(error: unknown): Ending {
  if (error instanceof Exit) return { exitCode: error.code, failure: error.failure, diagnostics: error.diagnostics };
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, "");
    return { exitCode: exitCodes.usage, failure: { code: "invalid-input", retry: "terminal", message, remedy: "holdfast --help" } };
  }
  const failure = toFailure(error);
  return { exitCode: exitCodeOfFailure(failure), failure };
}

/** A result of an earlier run must not be taken for this one: the object goes wherever the answer would have gone. */
async function answerInJson({ exitCode, failure, diagnostics = [] }: Ending, args: readonly string[]): Promise<void> {
  const targets = jsonTargets(args);
  if (targets.length === 0) return;
  const [{ jsonAnswer, writeOutputs }, { redact }] = await Promise.all([import("./outputs.ts"), import("../report/redact.ts")]);
  const { code, retry, message, remedy } = failure;
  const error = { code, retry, message: redact(message), ...(remedy === undefined ? {} : { remedy: redact(remedy) }) };
  for (const target of targets) {
    try {
      writeOutputs([target], { json: () => jsonAnswer("Error", { exitCode, error, ...(diagnostics.length === 0 ? {} : { diagnostics }) }) });
    } catch {
      // The file cannot be written, which may be the failure that is being told.
    }
  }
}

/** Where the command line asks for JSON; read from the words, because they may be all that could be decoded. */
export function jsonTargets(args: readonly string[]): readonly { readonly format: "json"; readonly file?: string }[] {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  return words.flatMap((word, index) => {
    const [format, file = ""] = outputIn(word, words[index + 1]).split(/=(.*)/s, 2);
    if (format !== "json") return [];
    return file === "" ? [{ format: "json" as const }] : [{ format: "json" as const, file }];
  });
}

/** The output that a word asks for, in itself or with the next one. */
function outputIn(word: string, next = ""): string {
  if (word === "--json" || word === "--json-output") return "json";
  if (word === "-o" || word === "--output") return next;
  return /^(?:--output=|-o=?(?=.))(.*)$/s.exec(word)?.[1] ?? "";
}
