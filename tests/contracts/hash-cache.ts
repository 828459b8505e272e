import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileIdentity, HashCache } from "../../src/ports/hash-cache.ts";

/** What every HashCache must do; `create` gives an empty one. */
export function describeHashCache(name: string, create: () => Promise<HashCache>): void {
  describe(`HashCache: ${name}`, () => {
    const at = "2026-11-21T10:00:00.000Z";
    const file: FileIdentity = {
      device: "65024",
      inode: "18446744073709551615",
      size: 2 ** 40,
      mtimeNs: "1795254000123456789",
      ctimeNs: "1795254000123456790",
    };

    it("answers in the order of the question, undefined where nothing is known", async () => {
      const cache = await create();
      const other = { ...file, inode: "7" };
      cache.remember([
        { file, sha256: "a".repeat(64), at },
        { file: other, sha256: "b".repeat(64), at },
      ]);
      expect(cache.lookup([other, { ...file, inode: "8" }, file, other])).toEqual([
        { sha256: "b".repeat(64), at },
        undefined,
        { sha256: "a".repeat(64), at },
        { sha256: "b".repeat(64), at },
      ]);
      expect(cache.lookup([])).toEqual([]);
    });

    it.each([
      ["device", { device: "1" }],
      ["inode", { inode: "1" }],
      ["size", { size: 1 }],
      ["mtime by a nanosecond", { mtimeNs: "1795254000123456788" }],
      ["ctime by a nanosecond", { ctimeNs: "1795254000123456791" }],
    ])("knows nothing of a file that differs in %s", async (_, difference) => {
      const cache = await create();
      cache.remember([{ file, sha256: "a".repeat(64), at }]);
      expect(cache.lookup([{ ...file, ...difference }])).toEqual([undefined]);
    });

    it("returns only what was remembered last for exactly this identity", async () => {
      const cache = await create();
      const few = fc.constantFrom("1", "2");
      const identity = fc.record({ device: few, inode: few, size: fc.nat(2), mtimeNs: few, ctimeNs: few });
      const entry = fc.record({ file: identity, sha256: fc.stringMatching(/^[0-9a-f]{64}$/), at: fc.constant(at) });
      const last = new Map<string, string>();
      fc.assert(
        fc.property(fc.array(entry, { maxLength: 5 }), fc.array(identity), (entries, asked) => {
          cache.remember(entries);
          for (const { file: known, sha256 } of entries) last.set(JSON.stringify(known), sha256);
          cache.lookup(asked).forEach((answer, index) => {
            if (answer !== undefined) expect(answer.sha256).toBe(last.get(JSON.stringify(asked[index])));
          });
        }),
      );
    });
  });
}
