import { plainText } from "./escape.ts";
import { cutEnd, cutMiddle } from "./text-layout.ts";

/**
 * Prose from outside as Markdown text: it cannot format, link, mention, refer to an issue, close a fence or become HTML. The zero width space after
 * `@` and `#` is needed because GitHub looks for mentions after entities were decoded. Secrets go before the cut: half a token is no known shape.
 */
export function markdownText(text: string, limit = 400): string {
  return cutEnd(plainText(text), limit).replaceAll(/[&<>"'`*_~()[\]{}!|\\+]|@|#(?=\w)|:\/\/|\bwww\./gi, (match) => {
    if (match === "@" || match === "#") return `${entity(match)}&#8203;`;
    if (match === "://") return "&#58;&#8203;//";
    return match.length > 1 ? `${match.slice(0, 3)}&#8203;.` : entity(match);
  });
}

/** A name from outside as a code span, in which nothing is markup. The pipe is replaced: no escape for it is safe in every table parser. */
export function markdownCode(text: string, limit = 100): string {
  const safe = cutMiddle(plainText(text), limit).replaceAll("|", "\u00a6");
  if (safe.trim() === "") return "` `";
  const fence = "`".repeat(longestRun(safe, "`") + 1);
  const pad = safe.startsWith("`") || safe.endsWith("`") || (safe.startsWith(" ") && safe.endsWith(" ")) ? " " : "";
  return `${fence}${pad}${safe}${pad}${fence}`;
}

/** A code block that its content cannot leave: the fence is longer than any run of its sign inside. */
export function markdownBlock(lines: readonly string[], language: string): string {
  const safe = lines.map((line) => cutEnd(plainText(line), 400));
  const fence = "`".repeat(Math.max(3, longestRun(safe.join("\n"), "`") + 1));
  return [`${fence}${language}`, ...safe, fence].join("\n");
}

function longestRun(text: string, char: string): number {
  let longest = 0;
  let run = 0;
  for (const each of text) {
    run = each === char ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

function entity(char: string): string {
  return `&#${char.codePointAt(0) ?? 32};`;
}
