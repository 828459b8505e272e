import type { LoadRequest, UnloadRequest } from "../domain/action.ts";
import type { LoadedModel, StoreId } from "../domain/observed.ts";
import type { WriteContext } from "./model-store.ts";

/**
 * The memory of the server of one store. Both operations are idempotent and look whether the server did what it says. They throw HoldfastError:
 * `not-found`, `rate-limited` when the server stays busy, `upstream` when the model cannot be loaded, `conflict` when it does not leave memory in time,
 * `unsupported` for cloud models and for runners that no name reaches any more, `unreachable`, `timeout`, `cancelled`.
 */
export interface ModelRuntime {
  readonly store: StoreId;
  /** Gets the present content of a name into memory, or changes how long it stays there, and returns what the server then lists. */
  load(request: LoadRequest, context: WriteContext): Promise<LoadedModel>;
  /** Returns when the server does not list the content any more; what is not in memory is no failure. */
  unload(request: UnloadRequest, context: WriteContext): Promise<void>;
}
