import { failed } from "../domain/failure.ts";

/** Clients of the Hub give up on an answer after ten seconds, and try again when they are told to. */
const patienceMs = 8_000;

/** Waits for an answer that may need large files to be hashed first; the hashing goes on when the wait is over. */
export async function within<Value>(answer: Promise<Value>): Promise<Value> {
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => {
    timer.reject(failed("timeout", "files of this model are still being hashed; try again in a few seconds", { retry: "transient" }));
  }, patienceMs);
  try {
    return await Promise.race([answer, timer.promise]);
  } finally {
    clearTimeout(timeout);
    answer.catch(() => undefined);
  }
}
