import { refuseUnsafe, type FolderFiles } from "./folder-files.ts";
import { HeaderCursor, malformed } from "./header-cursor.ts";
import { byte, JsonWalker } from "./json-walker.ts";
import { openForReading } from "./open-file.ts";

const indexName = "model.safetensors.index.json";
const limits = { bytes: 64 * 1024 * 1024, shards: 10_000 } as const;

/** Names of the shard files that the index of a folder lists, none of them unsafe; empty without an index. */
export async function readShardIndex(files: FolderFiles, signal: AbortSignal): Promise<ReadonlySet<string>> {
  if (!files.has(indexName)) return new Set();
  const file = await openForReading(await files.locate(indexName));
  try {
    const { size } = await file.stat();
    const walker = new JsonWalker(new HeaderCursor(file, size, { bytes: limits.bytes, signal }), size);
    const shards = new Set<string>();
    const readShard = async (): Promise<void> => addShard(shards, await walker.text());
    await eachMember(walker, (key) => (key === "weight_map" ? eachMember(walker, readShard) : walker.skipValue()));
    await walker.finish();
    return shards;
  } finally {
    await file.close();
  }
}

async function eachMember(walker: JsonWalker, visit: (key: string) => Promise<void>): Promise<void> {
  await walker.expect(byte.open);
  if (await walker.next(byte.close)) return;
  do {
    const key = await walker.text();
    await walker.expect(byte.colon);
    await visit(key);
  } while (await walker.next(byte.comma));
  await walker.expect(byte.close);
}

function addShard(shards: Set<string>, shard: string): void {
  if (shards.has(shard)) return;
  refuseUnsafe(shard);
  if (shards.size >= limits.shards) throw malformed(`${indexName} names more than ${limits.shards} shards`);
  shards.add(shard);
}
