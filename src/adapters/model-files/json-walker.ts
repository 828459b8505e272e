import { isUtf8 } from "node:buffer";
import { malformed, type HeaderCursor } from "./header-cursor.ts";

export const byte = { quote: 0x22, backslash: 0x5c, open: 0x7b, close: 0x7d, openList: 0x5b, closeList: 0x5d, colon: 0x3a, comma: 0x2c } as const;

/** Longer names and entries are refused; real ones have some hundred bytes. */
const pieceBytes = 64 * 1024;

/** Walks over JSON through a window that slides over the file, so that memory does not grow with the length of the text. */
export class JsonWalker {
  readonly #cursor: HeaderCursor;
  readonly #end: number;

  /** `end` is the offset in the file at which the JSON text ends. */
  constructor(cursor: HeaderCursor, end: number) {
    this.#cursor = cursor;
    this.#end = end;
  }

  get position(): number {
    return this.#cursor.position;
  }

  /** Takes the byte if it comes next, white space aside. */
  async next(wanted: number): Promise<boolean> {
    const bytes = await this.#ahead();
    let at = 0;
    while (isSpace(bytes[at])) at++;
    this.#cursor.take(at);
    if (bytes[at] !== wanted) return false;
    this.#cursor.take(1);
    return true;
  }

  async expect(wanted: number): Promise<void> {
    if (!(await this.next(wanted))) throw malformed(`the JSON has no ${JSON.stringify(String.fromCharCode(wanted))} at byte ${this.position}`);
  }

  /** A text that fits into one piece. */
  async text(): Promise<string> {
    await this.expect(byte.quote);
    const end = closingQuote(await this.#ahead());
    if (end === undefined) throw malformed(`the JSON has a text without an end, or a very long name, at byte ${this.position}`);
    const raw = this.#cursor.take(end + 1).subarray(0, end);
    if (!isUtf8(raw)) throw malformed(`the JSON has a text that is not UTF-8 before byte ${this.position}`);
    return String(parse(`"${raw.toString("utf8")}"`, this.position));
  }

  /** A text of any length, which is forgotten. */
  async skipText(): Promise<void> {
    await this.expect(byte.quote);
    await this.#skipToQuote();
  }

  /** A value of any kind and length, which is forgotten. */
  async skipValue(): Promise<void> {
    let depth = 0;
    for (let bytes = await this.#ahead(); bytes.length > 0; bytes = await this.#ahead()) {
      const at = bytes.findIndex(isStructure);
      const found = bytes[at];
      if (found === undefined) this.#cursor.take(bytes.length);
      else if (depth === 0 && endsValue(found)) return void this.#cursor.take(at);
      else {
        this.#cursor.take(at + 1);
        if (found === byte.quote) await this.#skipToQuote();
        else if (found === byte.open || found === byte.openList) depth++;
        else if (found !== byte.comma) depth--;
      }
    }
  }

  /** An object without objects inside, as source text including its braces. */
  async flatObject(): Promise<string> {
    await this.expect(byte.open);
    const end = (await this.#ahead()).indexOf(byte.close);
    if (end < 0) throw malformed(`the JSON has an entry without an end at byte ${this.position}`);
    return `{${this.#cursor.take(end + 1).toString("utf8")}`;
  }

  /** Checks that nothing but white space is left. */
  async finish(): Promise<void> {
    for (let bytes = await this.#ahead(); bytes.length > 0; bytes = await this.#ahead()) {
      if (!bytes.every(isSpace)) throw malformed("the JSON goes on after its end");
      this.#cursor.take(bytes.length);
    }
  }

  async #skipToQuote(): Promise<void> {
    for (let bytes = await this.#ahead(); bytes.length > 0; bytes = await this.#ahead()) {
      const end = closingQuote(bytes);
      if (end !== undefined) return void this.#cursor.take(end + 1);
      const splitsEscape = trailingBackslashes(bytes) % 2 === 1 && bytes.length > 1;
      this.#cursor.take(bytes.length - (splitsEscape ? 1 : 0));
    }
    throw malformed("the JSON ends inside a text");
  }

  async #ahead(): Promise<Buffer> {
    const left = this.#end - this.#cursor.position;
    await this.#cursor.offer(Math.min(left, pieceBytes));
    return this.#cursor.ahead().subarray(0, left);
  }
}

/** Parses a piece of a header. */
export function parse(text: string, position: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`the header is not JSON near byte ${position}`);
  }
}

function closingQuote(bytes: Buffer): number | undefined {
  for (let at = bytes.indexOf(byte.quote); at >= 0; at = bytes.indexOf(byte.quote, at + 1)) {
    if (trailingBackslashes(bytes.subarray(0, at)) % 2 === 0) return at;
  }
  return undefined;
}

function trailingBackslashes(bytes: Buffer): number {
  let count = 0;
  while (count < bytes.length && bytes[bytes.length - 1 - count] === byte.backslash) count++;
  return count;
}

function isSpace(value: number | undefined): boolean {
  return value === 0x20 || value === 0x0a || value === 0x0d || value === 0x09;
}

function isStructure(value: number): boolean {
  return value === byte.quote || value === byte.open || value === byte.openList || endsValue(value);
}

function endsValue(value: number): boolean {
  return value === byte.comma || value === byte.close || value === byte.closeList;
}
