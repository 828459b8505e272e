import type { StoredModel } from "./ollama-server-store.ts";

/** What a server has in memory. Like the real one it keys runners by their weights: an alias shares them, and an upgrade leaves the old one behind. */
export interface Runner {
  readonly name: string;
  readonly digest: string;
  readonly weights: string;
  expiresAt: Date;
}

const forEver = Date.parse("2319-01-01T00:00:00Z");
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Runners of one server; those whose time is over are gone. */
export class ServerMemory {
  readonly #runners = new Map<string, Runner>();

  list(): readonly Runner[] {
    for (const [weights, runner] of this.#runners) if (runner.expiresAt.getTime() <= Date.now()) this.#runners.delete(weights);
    return [...this.#runners.values()].toSorted((a, b) => b.expiresAt.getTime() - a.expiresAt.getTime());
  }

  load(model: StoredModel, expiresAt: Date): void {
    const runner = this.list().find(({ weights }) => weights === weightsOf(model));
    if (runner !== undefined) runner.expiresAt = expiresAt;
    else this.#runners.set(weightsOf(model), { name: model.name, digest: model.digest, weights: weightsOf(model), expiresAt });
  }

  drop(model: StoredModel): void {
    this.#runners.delete(weightsOf(model));
  }
}

export function weightsOf(model: StoredModel): string {
  return model.layers.find((layer) => layer.mediaType.endsWith(".model"))?.digest ?? model.digest;
}

/** When a model that is asked for now leaves memory: a number is seconds, negative for ever; a text is a Go duration. Undefined = not understood. */
export function expiryOf(keepAlive: unknown): Date | undefined {
  if (typeof keepAlive === "number") return new Date(keepAlive < 0 ? forEver : Date.now() + keepAlive * 1000);
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(typeof keepAlive === "string" ? keepAlive : "5m") ?? [];
  return number === undefined || unit === undefined ? undefined : new Date(Date.now() + Number(number) * (units[unit] ?? 1));
}
