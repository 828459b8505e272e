import type { Disk } from "../ports/disk.ts";
import type { LockFile } from "../domain/lock.ts";
import type { FileHasher } from "../ports/file-hasher.ts";
import type { HashCache } from "../ports/hash-cache.ts";
import type { ModelHeaders } from "../ports/model-headers.ts";
import type { StateStore } from "../ports/state-store.ts";
import type { Settings } from "../settings.ts";

/** What every connection is built from. */
export interface SharedParts {
  readonly settings: Settings;
  readonly hasher: FileHasher;
  readonly hashCache: HashCache;
  readonly disk: Disk;
  readonly headers: ModelHeaders;
  readonly state: StateStore;
  readonly lock: LockFile;
}
