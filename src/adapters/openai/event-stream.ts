import { failed } from "../../domain/failure.ts";

/** Longest line of a stream; a token is a few bytes. */
const longestLine = 1024 * 1024;

/**
 * The data of each event of a `text/event-stream`, without the closing `[DONE]`. Lines may end in `\n` or `\r\n` and may be cut anywhere, also inside a
 * character.
 */
export async function* readEvents(body: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let size = 0;
  for await (const bytes of body) {
    size += bytes.length;
    if (size > mostBytes) throw failed("protocol", `the answer is longer than ${mostBytes} bytes`);
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) throw failed("protocol", "the answer has a line that does not end");
    for (const line of lines) yield* dataOf(line);
  }
  yield* dataOf(rest + decoder.decode());
}

function dataOf(line: string): readonly string[] {
  if (!line.startsWith("data:")) return [];
  const data = line.slice("data:".length).trim();
  return data === "" || data === "[DONE]" ? [] : [data];
}
