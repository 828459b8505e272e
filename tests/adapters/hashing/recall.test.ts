import { createHash, randomBytes } from "node:crypto";
import { chmodSync, readFileSync, renameSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";
import { createStateStore } from "../../../src/adapters/sqlite/state-store.ts";
import type { VerificationLevel } from "../../../src/domain/observed.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const clock = { now: () => "2026-11-21T10:00:00.000Z" };
const never = new AbortController().signal;

/** What somebody does to a file behind our back. */
const edits: Readonly<Record<string, (path: string) => void>> = {
  "other bytes": (path) => writeFileSync(path, randomBytes(100)),
  "other bytes, same size, old mtime": (path) => {
    const { atime, mtime, size } = statSync(path);
    writeFileSync(path, randomBytes(size));
    utimesSync(path, atime, mtime);
  },
  "replaced by rename, same size, old mtime": (path) => {
    const { atime, mtime, size } = statSync(path);
    writeFileSync(`${path}.new`, randomBytes(size));
    utimesSync(`${path}.new`, atime, mtime);
    renameSync(`${path}.new`, path);
  },
  "cut off": (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  "made longer": (path) => truncateSync(path, statSync(path).size + 1),
  "other permissions": (path) => chmodSync(path, 0o640),
  nothing: () => {},
};

describe("recalled hashes", () => {
  const workspace = useWorkspace();

  it("are never those of other bytes, whatever was done to the file in between", async () => {
    const folder = await workspace();
    const path = join(folder, "file");
    const { stateStore, hashCache } = createStateStore({ path: join(folder, "state.db"), clock });
    const hasher = createFileHasher({ cache: hashCache, workers: 1, clock });
    const levels = fc.constantFrom<VerificationLevel>("presence", "stat", "full");
    const step = fc.record({ edit: fc.constantFrom(...Object.keys(edits)), level: levels });
    let recalled = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        writeFileSync(path, randomBytes(100));
        // Whole seconds, so that an edit can put back exactly this time.
        utimesSync(path, 1_700_000_000, 1_700_000_000);
        const recall = ["full", "stat"] as const;
        for (const { edit, level } of [...recall.map((known) => ({ edit: "nothing", level: known })), ...steps]) {
          edits[edit]?.(path);
          const [state] = await hasher.inspect([{ path }], level, never);
          const truth = createHash("sha256").update(readFileSync(path)).digest("hex");
          if (state?.state === "present" && state.level !== "presence") expect(state.sha256).toBe(truth);
          else expect(state).toEqual({ state: "present", level: "presence" });
          if (state?.state === "present" && state.level === "stat") recalled += 1;
        }
      }),
      { numRuns: 30 },
    );
    expect(recalled).toBeGreaterThanOrEqual(30);
    stateStore.close();
    await hasher.close();
  });
});
