import { failed } from "../domain/failure.ts";
import { isJsonObject, parseJsonText } from "./json-text.ts";
import type { StageLists } from "./migrate-fields.ts";

/** Reads stage lists: a JSON object of lists of model names, best first. Throws `invalid-input`. */
export function decodeStages(text: string, file: string): StageLists {
  const value = parsed(text, file);
  if (!isJsonObject(value)) throw wrong(file, "it is not an object");
  return Object.fromEntries(
    Object.entries(value).map(([stage, models]) => {
      const names = Array.isArray(models) ? models.filter((model) => typeof model === "string") : [];
      if (!Array.isArray(models) || names.length < models.length) throw wrong(file, `${JSON.stringify(stage)} is not a list of names`);
      return [stage, names];
    }),
  );
}

function parsed(text: string, file: string): ReturnType<typeof parseJsonText> {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw wrong(file, `it is not JSON: ${error.message}`);
  }
}

function wrong(file: string, why: string): Error {
  return failed("invalid-input", `the stage lists in ${file} cannot be used: ${why}`, { remedy: 'write {"caption": ["best-model", "next-model"]}' });
}
