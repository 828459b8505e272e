import type { Backend } from "../domain/backend.ts";

/** The API key of a backend, out of the variable that its manifest names. */
export function apiKeyOf({ apiKeyEnv }: Pick<Backend, "apiKeyEnv">, env: NodeJS.ProcessEnv): string | undefined {
  const key = apiKeyEnv === undefined ? undefined : env[apiKeyEnv];
  return key === undefined || key === "" ? undefined : key;
}

/** The API keys of all backends, by the origin that each belongs to. */
export function apiKeysByOrigin(backends: readonly Backend[], env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  return new Map(
    backends.flatMap((backend) => {
      const key = apiKeyOf(backend, env);
      return key === undefined || backend.url === undefined ? [] : [[new URL(backend.url).origin, key] as const];
    }),
  );
}
