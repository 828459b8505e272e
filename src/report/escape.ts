import { redact } from "./redact.ts";

/**
 * Characters that can move the cursor, colour, reorder or hide text: control and format characters (bidi marks, zero width, tags), private and
 * unassigned ones, lone surrogates, line and paragraph separators, and letters that are drawn as nothing.
 */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

// oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
const colours = /\u001b\[[0-9;]*m/g;

const shortForms: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** One line of text that a terminal shows as it stands: nothing in it can act on the terminal or on the CI service that reads the log. */
export function plainText(text: string): string {
  return guardCommands(escapeUnprintable(redact(text)));
}

/** Many lines, for example of a log: colours are left out, everything else that could act on the terminal is made visible. */
export function plainLines(text: string): string {
  return text
    .split("\n")
    .map((line) => plainText(line.replaceAll(colours, "").replaceAll("\r", "")).replaceAll("\\t", "\t"))
    .join("\n");
}

/** Makes every character that is not simply visible visible, for example `\u{1b}` for ESC. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(unprintable, (char) => shortForms[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** JSON text in which nothing invisible is left raw; it decodes to the same value. */
export function visibleJson(json: string): string {
  return json.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) =>
    [...Array(char.length).keys()].map((index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** A log line that starts with `::`, or has `##[` anywhere, is a command to the GitHub runner. */
export function guardCommands(text: string): string {
  return text.replace(/^(\s*)::/, "$1\\::").replaceAll("##[", "#\\#[");
}

/** Text between XML tags or in a double-quoted attribute; what XML 1.0 cannot carry is escaped first. */
export function xmlText(text: string): string {
  return escapeUnprintable(redact(text))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}

/** The message of a GitHub workflow command. */
export function commandData(text: string): string {
  return escapeUnprintable(redact(text)).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A property (`file`, `title`, ...) of a GitHub workflow command. */
export function commandProperty(text: string): string {
  return commandData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
