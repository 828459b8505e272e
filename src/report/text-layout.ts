import { guardCommands } from "./escape.ts";

const noColumn = /^[\p{Mn}\p{Me}]$/u;
const twoColumns =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** How many columns a terminal needs for text without escape sequences. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += columnsOf(char);
  return width;
}

/** Fills with spaces up to a width; longer text stays as it is. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** Cuts text to a width; a cut is marked by `..`. */
export function cutEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width <= 2 ? takeColumns(text, width) : `${takeColumns(text, width - 2)}..`;
}

/** Cuts the middle out, because the end of a path or digest says as much as its start. */
export function cutMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 8) return cutEnd(text, width);
  const tail = Math.floor((width - 2) / 2);
  return `${takeColumns(text, width - 2 - tail)}..${reversed(takeColumns(reversed(text), tail))}`;
}

/** Breaks text at spaces into lines of at most `width` columns; a longer word stays whole, so that it can be copied. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map(guardCommands);
}

function reversed(text: string): string {
  return Array.from(text).toReversed().join("");
}

function takeColumns(text: string, width: number): string {
  let taken = "";
  let used = 0;
  for (const char of text) {
    used += columnsOf(char);
    if (used > width) break;
    taken += char;
  }
  return taken;
}

function columnsOf(char: string): number {
  if (char < "\u0300") return 1;
  return noColumn.test(char) ? 0 : twoColumns.test(char) ? 2 : 1;
}
