import type { DatabaseSync } from "node:sqlite";
import type { HashCache } from "../../ports/hash-cache.ts";
import { number, text } from "./memory-rows.ts";
import type { StateDatabase } from "./state-database.ts";

type Known = ReturnType<HashCache["lookup"]>[number];

/** One statement for all files is several times as fast as one each. */
const lookupSql = `
  SELECT asked.key AS place, sha256, at FROM json_each(?) AS asked
  JOIN hashes ON device = asked.value ->> 0 AND inode = asked.value ->> 1
  WHERE size = asked.value ->> 2 AND mtimeNs = asked.value ->> 3 AND ctimeNs = asked.value ->> 4`;

/** Keeps one hash per inode, valid while size and both times are unchanged. */
export function createHashCache(database: StateDatabase): HashCache {
  return {
    lookup(files) {
      const asked = files.map((file) => [file.device, file.inode, file.size, file.mtimeNs, file.ctimeNs]);
      const known: Known[] = files.map(() => undefined);
      if (files.length === 0) return known;
      const query = (open: DatabaseSync) => open.prepare(lookupSql).all(JSON.stringify(asked));
      for (const row of database.read("could not look up hashes", query, [])) {
        known[number(row, "place")] = { sha256: text(row, "sha256"), at: text(row, "at") };
      }
      return known;
    },
    remember(entries) {
      // Where nothing may be written the file is hashed again next time.
      if (entries.length === 0) return;
      database.keep("could not remember hashes", (open) => {
        const statement = open.prepare(
          "INSERT OR REPLACE INTO hashes (device, inode, size, mtimeNs, ctimeNs, sha256, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        );
        for (const { file, sha256, at } of entries) statement.run(file.device, file.inode, file.size, file.mtimeNs, file.ctimeNs, sha256, at);
      });
    },
  };
}
