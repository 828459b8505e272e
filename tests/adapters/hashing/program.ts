// Hashes files and ends without closing the hasher: shows that idle threads do not keep a process alive.
import { createFileHasher } from "../../../src/adapters/hashing/file-hasher.ts";

const cache = { lookup: () => [], remember: () => {} };
const hasher = createFileHasher({ cache, workers: 2, clock: { now: () => "now" } });
const files = process.argv.slice(2).map((path) => ({ path }));
const states = await hasher.inspect(files, "full", new AbortController().signal);
process.stdout.write(JSON.stringify(states));
