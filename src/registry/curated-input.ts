import { encodeJsonText, isJsonObject, parseJsonText } from "./json-text.ts";
import { isOwnLayerEntry } from "./own-record.ts";

/**
 * The part of a curated file that Holdfast did not write itself, or undefined when there is none. The text stays the same while only our part changes;
 * a file without any part of ours, or one that cannot be read, comes back as it is.
 */
export function curatedInput(text: string): string | undefined {
  const entries = parseList(text);
  if (entries === undefined) return text;
  const foreign = entries.filter((entry) => !isJsonObject(entry) || !isOwnLayerEntry(entry));
  if (foreign.length === 0) return undefined;
  return foreign.length === entries.length ? text : encodeJsonText(foreign);
}

function parseList(text: string): readonly ReturnType<typeof parseJsonText>[] | undefined {
  try {
    const value = parseJsonText(text);
    return Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
