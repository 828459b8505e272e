import { spawnSync } from "node:child_process";
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createInstanceLock } from "../../../src/adapters/sqlite/instance-lock.ts";
import { createStateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { emptyMemory, type MemoryChange } from "../../../src/domain/inventory.ts";
import { describeHashCache } from "../../contracts/hash-cache.ts";
import { describeStateStore } from "../../contracts/state-store.ts";
import { useWorkspace } from "../filesystem/workspace.ts";

const clock = { now: () => "2026-11-21T10:00:00.000Z" };
const owned = {
  kind: "own",
  item: { name: "qwen", store: "ollama:local", ref: "qwen3:8b", origin: "pulled", since: clock.now(), sizeBytes: 5, protect: true },
} satisfies MemoryChange;

describe("sqlite", () => {
  const workspace = useWorkspace();

  describeStateStore("sqlite", () => {
    let folder: Promise<string> | undefined;
    const open = async () => createStateStore({ path: join(await (folder ??= workspace()), "state.db"), clock }).stateStore;
    return {
      async fresh() {
        folder = workspace();
        return open();
      },
      reopen: open,
    };
  });

  describeHashCache("sqlite", async () => createStateStore({ path: join(await workspace(), "state.db"), clock }).hashCache);

  it("commits all changes or none", async () => {
    const { stateStore } = createStateStore({ path: join(await workspace(), "state.db"), clock });
    const impossible: MemoryChange = { ...owned, item: { ...owned.item, name: "half", sizeBytes: 0.5 } };
    await expect(stateStore.commit([owned, impossible])).rejects.toThrow();
    expect(await stateStore.load()).toEqual(emptyMemory);
    stateStore.close();
  });

  it("forgets the oldest runs when there are very many", async () => {
    const { stateStore } = createStateStore({ path: join(await workspace(), "state.db"), clock });
    for (let run = 0; run < 510; run += 1) {
      await stateStore.recordRun({ id: `${run}`, startedAt: String(run).padStart(4, "0"), endedAt: "", command: "", revision: "", exitCode: 0 });
    }
    const kept = await stateStore.runs(1_000);
    expect([kept.length, kept[0]?.id, kept.at(-1)?.id]).toEqual([500, "509", "10"]);
    stateStore.close();
  });

  it("SEC-16 keeps the database to its owner, also one that was open to others", async () => {
    const folder = join(await workspace(), "state");
    const path = join(folder, "state.db");
    const first = createStateStore({ path, clock });
    await first.stateStore.commit([owned]);
    const modes = async () =>
      Promise.all(["", "state.db", "state.db-wal", "state.db-shm"].map(async (name) => (await stat(join(folder, name))).mode & 0o777));
    expect(await modes()).toEqual([0o700, 0o600, 0o600, 0o600]);
    first.stateStore.close();
    await chmod(path, 0o644);
    const again = createStateStore({ path, clock });
    await again.stateStore.commit([owned]);
    expect(await modes()).toEqual([0o700, 0o600, 0o600, 0o600]);
    again.stateStore.close();
  });

  it.each(["read", "write"] as const)("keeps what the first schema remembered (%s)", async (mode) => {
    const path = join(await workspace(), "state.db");
    const first = createStateStore({ path, clock });
    await first.stateStore.commit([owned]);
    first.stateStore.close();
    const old = new DatabaseSync(path);
    old.exec("ALTER TABLE inventory DROP COLUMN revision; ALTER TABLE inventory DROP COLUMN keepLoaded; PRAGMA user_version = 1");
    old.close();
    const { stateStore } = createStateStore({ path, clock, mode });
    expect((await stateStore.load()).inventory).toEqual([owned.item]);
    if (mode === "write") {
      const resolved = { ...owned.item, revision: "main", keepLoaded: "forever" as const };
      await stateStore.commit([{ kind: "own", item: resolved }]);
      expect((await stateStore.load()).inventory).toEqual([resolved]);
    }
    stateStore.close();
  });

  it("opens nothing before it is used", async () => {
    const folder = await workspace();
    createStateStore({ path: join(folder, "state", "state.db"), clock }).stateStore.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it("shows no warning of its own and swallows nobody else's", async () => {
    const program = fileURLToPath(new URL("./program.ts", import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [program, "warn-and-load", await workspace()], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stderr).toContain("a warning of somebody else");
    expect(stderr).toContain("another warning of somebody else");
    expect(stderr).not.toContain("SQLite");
  });
});

describe("state opened for reading only", () => {
  const workspace = useWorkspace();

  it("is an empty memory where there is no database, and makes no file", async () => {
    const folder = await workspace();
    const { stateStore, hashCache } = createStateStore({ path: join(folder, "state", "state.db"), clock, mode: "read" });
    expect(await stateStore.load()).toEqual(emptyMemory);
    expect(await stateStore.runs(5)).toEqual([]);
    await stateStore.remember("show", new Map([["a", "b"]]));
    hashCache.remember([]);
    await expect(stateStore.commit([owned])).rejects.toMatchObject({ failure: { code: "unsupported" } });
    expect(await readdir(folder)).toEqual([]);
  });

  it("reads what was committed without leaving a trace, whether or not a writer is there", async () => {
    const folder = await workspace();
    const path = join(folder, "state.db");
    const writer = createStateStore({ path, clock });
    const reader = createStateStore({ path, clock, mode: "read" });
    await writer.stateStore.commit([owned]);
    expect((await reader.stateStore.load()).inventory).toEqual([owned.item]);
    const withWriter = await readdir(folder);
    await writer.stateStore.commit([{ kind: "disown", ...owned.item }]);
    expect((await reader.stateStore.load()).inventory).toEqual([]);
    expect(await readdir(folder)).toEqual(withWriter);
    writer.stateStore.close();
    const bytes = await readFile(path);
    expect((await reader.stateStore.load()).inventory).toEqual([]);
    expect(await readdir(folder)).toEqual(["state.db"]);
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  it("goes on with an empty memory and a warning when the database is damaged, and leaves it alone", async () => {
    const path = join(await workspace(), "state.db");
    await writeFile(path, "garbage".repeat(1_000));
    const warnings: string[] = [];
    const { stateStore } = createStateStore({ path, clock, mode: "read", warn: (message) => warnings.push(message) });
    expect(await stateStore.load()).toEqual(emptyMemory);
    expect(warnings).toEqual([expect.stringContaining(path)]);
    expect(await readFile(path, "utf8")).toBe("garbage".repeat(1_000));
  });
});

describe("a state folder that is none", () => {
  const workspace = useWorkspace();

  it.each(["", "below"])("is a file: every use says so and what to do (%s)", async (below) => {
    const file = join(await workspace(), "state");
    await writeFile(file, "a file");
    const { stateStore, hashCache } = createStateStore({ path: join(file, below, "state.db"), clock });
    const expected = { failure: { code: "invalid-input", message: expect.stringContaining(file), remedy: expect.stringContaining("paths.state") } };
    await expect(stateStore.load()).rejects.toMatchObject(expected);
    await expect(stateStore.commit([owned])).rejects.toMatchObject(expected);
    expect(() => hashCache.lookup([{ device: "1", inode: "1", size: 1, mtimeNs: "1", ctimeNs: "1" }])).toThrow(file);
    await expect(createInstanceLock({ directory: join(file, below) }).acquire("reconcile")).rejects.toMatchObject(expected);
    stateStore.close();
    expect(await readFile(file, "utf8")).toBe("a file");
  });
});

describe("F20 lost or broken state", () => {
  const workspace = useWorkspace();

  async function written(): Promise<{ folder: string; path: string }> {
    const folder = await workspace();
    const path = join(folder, "state.db");
    const { stateStore } = createStateStore({ path, clock });
    const items = Array.from({ length: 300 }, (_, index): MemoryChange => ({ ...owned, item: { ...owned.item, name: `model-${index}` } }));
    await stateStore.commit(items);
    stateStore.close();
    return { folder, path };
  }

  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ["is garbage", (path) => writeFile(path, "garbage".repeat(1_000))],
    ["lost its second half", async (path) => truncate(path, Math.floor((await stat(path)).size / 2 / 4096) * 4096)],
    [
      "has overwritten pages",
      async (path) => {
        const bytes = await readFile(path);
        bytes.fill(0x5a, 8192);
        await writeFile(path, bytes);
      },
    ],
    [
      "holds rows that nobody wrote",
      async (path) => {
        const database = new DatabaseSync(path);
        database.exec("UPDATE inventory SET store = 'elsewhere' WHERE name = 'model-7'");
        database.close();
      },
    ],
  ];

  it.each(damages)("a database that %s is kept aside with one warning, and nothing is owned any more", async (_, damage) => {
    const { folder, path } = await written();
    await damage(path);
    const broken = await readFile(path);
    const warnings: string[] = [];
    const { stateStore } = createStateStore({ path, clock, warn: (message) => warnings.push(message) });
    expect(await stateStore.load()).toEqual(emptyMemory);
    await stateStore.commit([owned]);
    expect((await stateStore.load()).inventory).toEqual([owned.item]);
    stateStore.close();
    const kept = "state.db.damaged-20261121T100000000Z";
    expect(warnings).toEqual([expect.stringContaining(join(folder, kept))]);
    expect((await readFile(join(folder, kept))).equals(broken)).toBe(true);
  });

  it("a deleted database means an empty memory, also under a running daemon", async () => {
    const { folder, path } = await written();
    const { stateStore } = createStateStore({ path, clock });
    expect((await stateStore.load()).inventory).toHaveLength(300);
    for (const name of await readdir(folder)) await rm(join(folder, name));
    expect(await stateStore.load()).toEqual(emptyMemory);
    await stateStore.commit([owned]);
    stateStore.close();
    const again = createStateStore({ path, clock });
    expect((await again.stateStore.load()).inventory).toEqual([owned.item]);
    again.stateStore.close();
  });

  it.each(["read", "write"] as const)("a newer schema is refused and left as it is (%s)", async (mode) => {
    const { folder, path } = await written();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    const { stateStore } = createStateStore({ path, clock, mode });
    const expected = { failure: { code: "unsupported", message: expect.stringMatching(/newer Holdfast.*99/), remedy: expect.any(String) } };
    await expect(stateStore.load()).rejects.toMatchObject(expected);
    stateStore.close();
    expect(await readdir(folder)).toEqual(["state.db"]);
    const after = new DatabaseSync(path);
    expect(after.prepare("SELECT count(*) AS n FROM inventory").get()?.["n"]).toBe(300);
    after.close();
  });
});
