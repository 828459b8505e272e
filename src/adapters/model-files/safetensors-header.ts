import { isRecord } from "./decode-json.ts";
import { malformed, type HeaderCursor } from "./header-cursor.ts";
import { byte, JsonWalker, parse } from "./json-walker.ts";
import { SpanTable } from "./span-table.ts";

/** What the header of a safetensors file says, checked against the length of the file. */
export interface SafetensorsHeader {
  readonly parameterCount: number;
  /** Bytes per dtype. */
  readonly bytesByDtype: ReadonlyMap<string, number>;
}

/** The reference implementation refuses longer headers. */
export const safetensorsHeaderLimit = 100_000_000;

const mostTensors = 262_144;
const metadataKey = "__metadata__";
const dtypeBits: ReadonlyMap<string, number> = new Map(
  Object.entries({
    4: "F4",
    6: "F6_E2M3 F6_E3M2",
    8: "BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
    16: "I16 U16 F16 BF16",
    32: "I32 U32 F32",
    64: "I64 U64 F64 C64",
  }).flatMap(([bits, names]) => names.split(" ").map((name) => [name, Number(bits)] as const)),
);

interface TensorEntry {
  readonly dtype: string;
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads and checks a safetensors header entry by entry, so that memory does not grow with its length and a name that appears twice is seen, which
 * `JSON.parse` would hide. The cursor stands at the start of the file.
 */
export async function readSafetensorsHeader(cursor: HeaderCursor): Promise<SafetensorsHeader> {
  await cursor.need(8);
  const declared = cursor.uint64();
  const possible = Math.min(safetensorsHeaderLimit, cursor.remaining);
  if (declared < 2n || declared > BigInt(possible))
    throw malformed(`the safetensors header claims ${declared} bytes; at most ${possible} are possible`);
  const headerEnd = cursor.position + Number(declared);
  const walker = new JsonWalker(cursor, headerEnd);
  const spans = new SpanTable();
  const header = await readEntries(walker, spans);
  await walker.finish();
  spans.checkNames();
  const end = spans.checkSpans(true);
  if (end !== cursor.size - headerEnd) throw malformed(`the tensors end at ${end}, the file has ${cursor.size - headerEnd} bytes of data`);
  return header;
}

async function readEntries(walker: JsonWalker, spans: SpanTable): Promise<SafetensorsHeader> {
  const bytesByDtype = new Map<string, number>();
  let parameterCount = 0;
  let entries = 0;
  await walker.expect(byte.open);
  let more = !(await walker.next(byte.close));
  while (more) {
    if (++entries > mostTensors) throw malformed(`the header has more than ${mostTensors} entries`);
    const name = Buffer.from(await walker.text());
    await walker.expect(byte.colon);
    if (name.equals(Buffer.from(metadataKey))) {
      spans.add(name, 0, 0);
      await skipMetadata(walker);
    } else {
      const { dtype, count, begin, end } = decodeEntry(await walker.flatObject(), walker.position);
      spans.add(name, begin, end);
      parameterCount += count;
      bytesByDtype.set(dtype, (bytesByDtype.get(dtype) ?? 0) + end - begin);
    }
    more = await walker.next(byte.comma);
    if (!more) await walker.expect(byte.close);
  }
  return { parameterCount, bytesByDtype };
}

async function skipMetadata(walker: JsonWalker): Promise<void> {
  await walker.expect(byte.open);
  if (await walker.next(byte.close)) return;
  do {
    await walker.text();
    await walker.expect(byte.colon);
    await walker.skipText();
  } while (await walker.next(byte.comma));
  await walker.expect(byte.close);
}

function decodeEntry(source: string, position: number): TensorEntry {
  const bad = (problem: string): Error => malformed(`the tensor before byte ${position} ${problem}`);
  const value = parse(source, position);
  // Three keys and one text have eight quotes; a key that is repeated would be the ninth.
  if (!isRecord(value) || source.split('"').length !== 9) throw bad("has unexpected members");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets)) throw bad("lacks dtype, shape or data_offsets");
  const [begin, end, ...rest] = offsets;
  if (begin === undefined || end === undefined || rest.length > 0 || end < begin) throw bad("has data_offsets that are not a range");
  const count = shape.reduce((product, size) => product * size, 1);
  const bits = dtypeBits.get(dtype);
  if (bits === undefined) throw bad(`has the unknown dtype ${JSON.stringify(dtype.slice(0, 40))}`);
  const fits = Number.isSafeInteger(count) && (count * bits) / 8 === end - begin;
  if (!fits) throw bad(`has ${end - begin} bytes, which does not fit its shape and dtype`);
  return { dtype, count, begin, end };
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length <= 32 && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}
