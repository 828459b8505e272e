import { resolve } from "node:path";
import { once } from "node:events";
import { startMirror } from "../../mirror/start-mirror.ts";
import type { CommonOptions, Session } from "../session.ts";

/** `holdfast mirror serve DIR`: a read-only hub and registry over a folder, until it is interrupted. */
export async function mirrorServe(
  session: Session,
  options: CommonOptions & { readonly host: string; readonly port: number; readonly allowPublic?: boolean },
  [dir = "."]: readonly string[],
): Promise<number> {
  const mirror = await startMirror({
    directory: resolve(dir),
    host: options.host,
    port: options.port,
    allowPublic: options.allowPublic ?? false,
    log: (line) => session.say(`${line}\n`),
  });
  process.stdout.write(
    `serving ${resolve(dir)} at ${mirror.url}\n  Hugging Face clients:  HF_ENDPOINT=${mirror.url}\n  Ollama:                ollama pull --insecure ${mirror.url.replace(/^https?:\/\//, "")}/NAMESPACE/MODEL:TAG\n`,
  );
  if (!session.signal.aborted) await once(session.signal, "abort");
  await mirror.close();
  return 0;
}
