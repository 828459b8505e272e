import { join } from "node:path";
import { checkedUrl } from "../base-url.ts";
import { resolveDir, type Bases } from "../resolve-dir.ts";
import { unusable, type Layers } from "./layers.ts";
import type { SettingKey } from "./setting.ts";

/** Where the Hub is and where its files are on this machine, as the Python client reads the environment. */
export interface HubSettings {
  readonly endpoint: string;
  /** Only from the environment; a token in `tokenFile` is read by whoever needs it. Never print it. */
  readonly token?: string;
  readonly tokenFile: string;
  readonly home: string;
  readonly cache: string;
  readonly offline: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Decides the settings of the Hub. Source: huggingface_hub `constants.py`, `utils/_auth.py`. */
export function resolveHubSettings(layers: Layers, env: Env, bases: Bases): HubSettings {
  const cacheHome = nonEmpty(env["XDG_CACHE_HOME"]) ?? join(bases.home, ".cache");
  const home = hubPath("huggingface.home", { dir: join(cacheHome, "huggingface"), detail: "" }, layers, { env, bases });
  const token = tokenOf(env);
  layers.record(
    "huggingface.token",
    token === undefined ? "not set" : "set",
    token === undefined ? "default" : "environment",
    token?.place ?? "the token file is read when a request needs it",
  );
  return {
    endpoint: endpointOf(layers),
    ...(token === undefined ? {} : { token: token.value }),
    tokenFile: hubPath("huggingface.tokenFile", { dir: join(home, "token"), detail: "below huggingface.home" }, layers, { env, bases }),
    home,
    cache: hubPath("huggingface.cache", { dir: join(home, "hub"), detail: "below huggingface.home" }, layers, { env, bases }),
    offline: offlineOf(layers, env),
  };
}

/** The client expands `~` and variables in the paths that it takes from the environment. */
function hubPath(
  key: SettingKey,
  otherwise: { readonly dir: string; readonly detail: string },
  layers: Layers,
  { env, bases }: { readonly env: Env; readonly bases: Bases },
): string {
  const found = layers.find(key);
  if (found === undefined) {
    layers.record(key, otherwise.dir, "default", otherwise.detail);
    return otherwise.dir;
  }
  const resolved = resolveDir(expandVariables(String(found.value), env), bases);
  if ("problem" in resolved) {
    layers.diagnostics.push(unusable(key, found, resolved.problem, resolved.remedy));
    return otherwise.dir;
  }
  layers.record(key, resolved.dir, found.from, found.place);
  return resolved.dir;
}

function expandVariables(text: string, env: Env): string {
  return text.replaceAll(/\$(?:(\w+)|\{([^}]+)\})/g, (all, bare: string | undefined, braced: string | undefined) => env[bare ?? braced ?? ""] ?? all);
}

function endpointOf(layers: Layers): string {
  const found = layers.find("huggingface.endpoint");
  const checked = checkedUrl(String(found?.value ?? ""));
  if ("url" in checked) {
    layers.record("huggingface.endpoint", checked.url, found?.from ?? "default", found?.place ?? "");
    return checked.url;
  }
  layers.diagnostics.push(unusable("huggingface.endpoint", found, checked.problem, "write it like https://huggingface.co"));
  return "https://huggingface.co";
}

function tokenOf(env: Env): { readonly value: string; readonly place: string } | undefined {
  for (const place of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const value = env[place]?.replaceAll(/[\r\n]/g, "").trim() ?? "";
    if (value !== "") return { value, place };
  }
  return undefined;
}

/** Unlike with other switches every value but these four means no, and the first variable that has one decides (`constants.py`). */
function offlineOf(layers: Layers, env: Env): boolean {
  const written = layers.findWritten("huggingface.offline");
  const name =
    written?.from === "flag" ? undefined : ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].find((variable) => nonEmpty(env[variable]) !== undefined);
  if (name === undefined) {
    layers.record("huggingface.offline", String(written?.value === true), written?.from ?? "default", written?.place ?? "");
    return written?.value === true;
  }
  const value = /^(1|on|yes|true)$/i.test(nonEmpty(env[name]) ?? "");
  layers.record("huggingface.offline", String(value), "environment", name);
  return value;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : text.trim();
}
