// Runs one pass over the backend of a world in a process of its own, which can be told to kill itself right before its n-th effect.
import { convergeServing } from "./converge-serving.ts";
import type { ActivationHost } from "../../../src/app/activation/activation-host.ts";
import type { Backend } from "../../../src/domain/backend.ts";
import { toFailure } from "../../../src/domain/failure.ts";
import { servingWorld } from "./activation-world.ts";

interface Order {
  readonly root: string;
  readonly port: number;
  readonly model: string;
  readonly switches?: Readonly<Record<string, string>>;
  readonly killAt?: number;
  /** A real engine instead of the stand-in. */
  readonly engine?: { readonly backend: Partial<Backend>; readonly env: NodeJS.ProcessEnv; readonly args: readonly string[] };
}

const order: Order = JSON.parse(process.argv[2] ?? "{}");
const { engine } = order;
const activation = { startTimeout: 20_000, stopTimeout: 2_000, rollback: true, smokeTest: true, maxAttempts: 1000 };
const world = await servingWorld(order.root, { port: order.port, backend: engine?.backend ?? { activation }, env: engine?.env ?? {} });
const declared = await world.model(order.model, order.switches, engine === undefined ? {} : { launch: { args: engine.args, env: {} } });
let effects = 0;

function mortal<Args extends readonly unknown[], Result>(effect: (...args: Args) => Promise<Result>): (...args: Args) => Promise<Result> {
  return async (...args) => {
    effects += 1;
    if (effects === order.killAt) process.kill(process.pid, "SIGKILL");
    return effect(...args);
  };
}

const { files, processes, engines } = world.host;
const host: ActivationHost = {
  ...world.host,
  files: { ...files, write: mortal(files.write), remove: mortal(files.remove) },
  processes: { ...processes, start: mortal(processes.start), stop: mortal(processes.stop) },
  engines: engines.map((engine) => ({ ...engine, generateOne: mortal(engine.generateOne) })),
};
try {
  const { decision, result } = await convergeServing(host, world.backend, declared, world.options());
  process.stdout.write(`${JSON.stringify({ decision, outcome: result?.outcome, effects })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ failure: toFailure(error), effects })}\n`);
}
process.exit(0);
