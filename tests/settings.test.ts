import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import settingsSchema from "../src/manifest/schemas/settings.schema.json" with { type: "json" };
import { settingsByKey } from "../src/manifest/settings/setting.ts";
import { loadSettings, type LoadedSettings, type Settings, type SettingsInput } from "../src/settings.ts";
import { told } from "./manifest/samples.ts";

const base = { flags: {}, env: {}, root: "/srv/project", home: "/home/ann", cores: 8 };

async function load(input: Partial<SettingsInput> & { readonly project?: string; readonly user?: string }): Promise<LoadedSettings> {
  const { project, user, ...rest } = input;
  return loadSettings({
    ...base,
    ...rest,
    ...(project === undefined ? {} : { projectFile: { path: "configs/holdfast.yaml", text: project } }),
    ...(user === undefined ? {} : { userFile: { path: "~/.config/holdfast/config.yaml", text: user } }),
  });
}

async function settingsOf(input: Parameters<typeof load>[0]): Promise<Settings> {
  const { settings, diagnostics } = await load(input);
  if (settings === undefined) throw new Error(told(diagnostics));
  return settings;
}

async function provenanceOf(key: string, input: Parameters<typeof load>[0]): Promise<string> {
  const row = (await load(input)).provenance.find((candidate) => candidate.key === key);
  return `${row?.value} from ${row?.from} (${row?.detail})`;
}

describe("loadSettings", () => {
  it("S1.60 has a default for everything, with absolute paths", async () => {
    expect((await load({})).settings).toEqual({
      paths: {
        root: "/srv/project",
        activeModel: "/srv/project/_staging/active_vllm.json",
        manifests: "/srv/project/manifests",
        policies: "/srv/project/policies",
        lock: "/srv/project/holdfast.lock.yaml",
        registry: "/srv/project/configs",
        state: "/srv/project/.holdfast",
        reports: "/srv/project/configs",
        quarantine: "/srv/project/.holdfast/quarantine",
        models: "/home/ann/.local/share/holdfast/models",
      },
      prune: { mode: "purge", grace: 604_800_000, maxDeletions: 5, maxDeletionPercent: 30 },
      unmanaged: "import",
      verify: { level: "stat", maxAge: 2_592_000_000 },
      locked: undefined,
      concurrency: { downloads: 4, hashWorkers: 8 },
      ollama: { url: "http://localhost:11434", reason: "default", store: "/home/ann/.ollama/models" },
      huggingface: {
        endpoint: "https://huggingface.co",
        tokenFile: "/home/ann/.cache/huggingface/token",
        home: "/home/ann/.cache/huggingface",
        cache: "/home/ann/.cache/huggingface/hub",
        offline: false,
      },
      timeouts: { observe: 3000, stall: 120_000 },
      naming: "a2",
      includeTestModels: false,
    });
  });

  it("takes a flag before the environment, that before the project file, that before the user file, that before the default", async () => {
    const flags = { "prune.maxDeletions": "1" };
    const env = { HOLDFAST_PRUNE_MAX_DELETIONS: "2" };
    const project = "prune: {maxDeletions: 3}\n";
    const user = "prune: {maxDeletions: 4}\n";
    expect(await provenanceOf("prune.maxDeletions", { flags, env, project, user })).toBe("1 from flag (--prune.maxDeletions)");
    expect(await provenanceOf("prune.maxDeletions", { env, project, user })).toBe("2 from environment (HOLDFAST_PRUNE_MAX_DELETIONS)");
    expect(await provenanceOf("prune.maxDeletions", { project, user })).toBe("3 from project file (configs/holdfast.yaml:1)");
    expect(await provenanceOf("prune.maxDeletions", { user })).toBe("4 from user file (~/.config/holdfast/config.yaml:1)");
    expect(await provenanceOf("prune.maxDeletions", {})).toBe("5 from default ()");
  });

  it("law: every setting that the schema names is shown with its origin, and every variable it names is heard", async () => {
    const { provenance } = await load({});
    const derived = ["ollama.host", "ollama.port"];
    expect(provenance.map(({ key }) => key)).toEqual(
      [...settingsByKey.keys()]
        .filter((key) => !derived.includes(key))
        .concat("huggingface.token", "paths.root")
        .toSorted(),
    );
    for (const { key, kind, choices, environment } of settingsByKey.values()) {
      const sample = { path: "/x", duration: "1m", integer: "2", boolean: "true", choice: choices[0] ?? "", text: "http://example.org:8080" }[kind];
      for (const variable of environment) {
        const row = (await load({ env: { [variable]: sample } })).provenance.find((candidate) => candidate.key === key);
        expect(row, variable).toMatchObject({ value: sample, from: "environment", detail: variable });
      }
    }
  });

  it("S1.61 IMAGEWORKS_REGISTRY_DIR moves the registry, and the reports with it", async () => {
    expect((await settingsOf({ env: { IMAGEWORKS_REGISTRY_DIR: "/data/registry" }, project: "paths: {registry: configs}\n" })).paths).toMatchObject({
      registry: "/data/registry",
      reports: "/data/registry",
    });
    expect((await settingsOf({ env: { IMAGEWORKS_REGISTRY_DIR: "/data/registry", HOLDFAST_REGISTRY_DIR: "reg" } })).paths.registry).toBe(
      "/srv/project/reg",
    );
    expect((await settingsOf({ env: { IMAGEWORKS_REGISTRY_DIR: "~/reg" } })).paths.registry).toBe("/home/ann/reg");
  });

  it("K16 S1.65 hears all three variables of old for test models", async () => {
    for (const name of ["IMAGEWORKS_INCLUDE_TEST_MODELS", "IMAGEWORKS_IMPORT_INCLUDE_TESTING", "CHAT_PROXY_INCLUDE_TEST_MODELS"]) {
      expect((await settingsOf({ env: { [name]: "1" } })).includeTestModels, name).toBe(true);
      expect((await settingsOf({ env: { [name]: "0" } })).includeTestModels, name).toBe(false);
      expect((await settingsOf({ env: { [name]: "1" }, flags: { includeTestModels: "false" } })).includeTestModels).toBe(false);
    }
  });

  it("S1.85 IMAGEWORKS_LOG_DIR names the folder of the log", async () => {
    expect((await settingsOf({ env: { IMAGEWORKS_LOG_DIR: "logs" } })).logDir).toBe("/srv/project/logs");
    expect(await settingsOf({})).not.toHaveProperty("logDir");
  });

  it("is locked in CI unless a person says otherwise", async () => {
    for (const [CI, locked] of [
      ["true", true],
      ["1", true],
      ["false", undefined],
      ["0", undefined],
      ["", undefined],
    ] as const)
      expect((await settingsOf({ env: { CI } })).locked, CI).toBe(locked);
    expect((await settingsOf({ env: { CI: "true" }, flags: { locked: "false" } })).locked).toBe(false);
    expect((await settingsOf({ project: "locked: true\n" })).locked).toBe(true);
  });

  it("says everything that is wrong, with what to write instead, and then gives no settings", async () => {
    const { settings, diagnostics } = await load({
      flags: { "prune.mode": "purg", "prune.graze": "1d", locked: "maybe" },
      env: {
        HOLDFAST_DOWNLOADS: "0",
        HOLDFAST_PRUNE_GRACE: "a week",
        HOLDFAST_REGISTRY_DIR: "~bob/x",
        HF_ENDPOINT: "ftp://x",
        HOLDFAST_STALL_TIMEOUT: "90d",
      },
    });
    expect(settings).toBeUndefined();
    expect(told(diagnostics)).toMatchInlineSnapshot(`
      "error[settings.unknown-key] there is no setting "prune.graze" -> did you mean prune.grace?
      error[settings.value] HOLDFAST_REGISTRY_DIR: "~bob/x" names another person's home folder -> write the absolute path
      error[settings.value] --prune.mode: "purg" is not one of purge, deprecate, forget, off -> did you mean purge?
      error[settings.value] HOLDFAST_PRUNE_GRACE: "a week" is not a length of time -> write a whole number and one of ms, s, m, h, d, w, for example 30s or 7d
      error[settings.value] --locked: "maybe" is neither true nor false -> write true or false
      error[settings.value] HOLDFAST_DOWNLOADS: "0" is not a whole number from 1 to 64
      error[settings.value] HF_ENDPOINT: "ftp://x" is not an http or https URL -> write it like https://huggingface.co
      error[settings.value] HOLDFAST_STALL_TIMEOUT: "90d" is longer than the 24 days that can be waited for -> write a shorter time"
    `);
  });

  it("says what is wrong with a file by line and column", async () => {
    const { settings, diagnostics } = await load({
      project: "prune:\n  mode: purgee\n  grace: 7\nhuggingface:\n  token: hf_secret\npath: {}\n",
      user: "locked: yes\n",
    });
    expect(settings).toBeUndefined();
    expect(told(diagnostics)).toMatchInlineSnapshot(`
      "configs/holdfast.yaml:2:9 error[schema.enum] prune.mode is "purgee"; it must be one of purge, deprecate, forget, off -> did you mean purge?
      configs/holdfast.yaml:3:10 error[schema.type] prune.grace must be text, but YAML reads 7 as the number 7 -> A length of time: a whole number and one unit of ms, s, m, h, d or w. For example 30s.
      configs/holdfast.yaml:5:3 error[schema.unknown-key] unknown key "token" in huggingface -> secrets do not belong in files: set HF_TOKEN or huggingface.tokenFile
      configs/holdfast.yaml:6:1 error[schema.unknown-key] unknown key "path" at the top -> did you mean paths?
      ~/.config/holdfast/config.yaml:1:9 error[schema.type] locked must be true or false, not the text "yes" -> YAML knows only true and false; yes, no, on and off are text"
    `);
    expect(told((await load({ project: "a: [\n" })).diagnostics)).toContain("yaml.syntax");
    expect(told((await load({ project: "naming: a1\n---\nnaming: a2\n" })).diagnostics)).toContain("a settings file is one document");
    expect((await load({ project: "# nothing yet\n" })).diagnostics).toEqual([]);
  });

  it("takes every value that its own schema allows", async () => {
    for (const value of settingsSchema.properties.naming.enum) expect((await settingsOf({ project: `naming: ${value}\n` })).naming).toBe(value);
    for (const value of settingsSchema.properties.unmanaged.enum)
      expect((await settingsOf({ project: `unmanaged: ${value}\n` })).unmanaged).toBe(value);
    for (const value of settingsSchema.properties.prune.properties.mode.enum)
      expect((await settingsOf({ project: `prune: {mode: ${value}}\n` })).prune.mode).toBe(value);
    for (const value of settingsSchema.properties.verify.properties.level.enum)
      expect((await settingsOf({ project: `verify: {level: ${value}}\n` })).verify.level).toBe(value);
  });

  it("loads neither YAML nor schema library when there is no file", () => {
    const loaded = (extra: string): string => {
      const program = `
        import { createRequire } from "node:module";
        const { loadSettings } = await import(${JSON.stringify(new URL("../src/settings.ts", import.meta.url).href)});
        await loadSettings({ flags: {}, env: {}, root: "/", home: "/", ${extra} });
        console.log(Object.keys(createRequire("/").cache).join("\\n"));`;
      return execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    };
    expect(loaded("")).not.toContain("node_modules");
    expect(loaded('projectFile: { path: "x", text: "naming: a1" }')).toMatch(/node_modules.yaml[^]*node_modules.ajv/);
  });
});

describe("the address of the Ollama server", () => {
  const address = async (input: Parameters<typeof load>[0]): Promise<string> => {
    const { ollama } = await settingsOf(input);
    return `${ollama.url} (${ollama.reason})`;
  };
  const everything = {
    HOLDFAST_OLLAMA_URL: "http://holdfast:1",
    OLLAMA_HOST: "host:2",
    OLLAMA_BASE_URL: "http://base:3",
    NAMEL3SS_OLLAMA_BASE_URL: "http://namel3ss:4",
  };
  const hostAndPort = "ollama: {host: gpu-01, port: 5}\n";

  it("S4.2 S4.7 1: what was written as ollama.url, a flag before a file", async () => {
    expect(await address({ env: everything, project: "ollama: {url: 'http://file:9/'}\n" })).toBe("http://file:9 (configs/holdfast.yaml:1)");
    expect(await address({ env: everything, flags: { "ollama.url": "http://flag:8" }, project: "ollama: {url: 'http://file:9'}\n" })).toBe(
      "http://flag:8 (--ollama.url)",
    );
  });

  it("S4.1 S4.3 S4.8 K23 2: the variables, in one order", async () => {
    const names = ["HOLDFAST_OLLAMA_URL", "OLLAMA_HOST", "OLLAMA_BASE_URL", "NAMEL3SS_OLLAMA_BASE_URL"] as const;
    const urls = ["http://holdfast:1", "http://host:2", "http://base:3", "http://namel3ss:4"];
    for (const [index, name] of names.entries()) {
      const env = Object.fromEntries(names.slice(index).map((later) => [later, everything[later]]));
      expect(await address({ env, project: hostAndPort })).toBe(`${urls[index]} (${name})`);
    }
    expect(await address({ env: { ...everything, HOLDFAST_OLLAMA_URL: " " } })).toBe("http://host:2 (OLLAMA_HOST)");
  });

  it("S4.4 S4.9 3: host and port of the file", async () => {
    expect(await address({ project: hostAndPort })).toBe("http://gpu-01:5 (ollama.host and ollama.port, configs/holdfast.yaml:1)");
    expect(await address({ project: "ollama: {port: 5}\n" })).toContain("http://127.0.0.1:5 ");
    expect(await address({ project: "ollama: {host: '::1'}\n" })).toContain("http://[::1]:11434 ");
    expect(await provenanceOf("ollama.url", { project: hostAndPort })).toContain("from project file");
  });

  it("S4.5 S4.6 S4.10 4: the default", async () => {
    expect(await address({})).toBe("http://localhost:11434 (default)");
  });

  it("K23 reads OLLAMA_HOST as the server does, and connects where it can be connected to", async () => {
    const table = {
      "0.0.0.0": "http://127.0.0.1:11434",
      "0.0.0.0:11434": "http://127.0.0.1:11434",
      "1.2.3.4": "http://1.2.3.4:11434",
      "1.2.3.4:5678": "http://1.2.3.4:5678",
      ":1234": "http://127.0.0.1:1234",
      "::": "http://[::1]:11434",
      "::1": "http://[::1]:11434",
      "[::1]": "http://[::1]:11434",
      "[::]:8080": "http://[::1]:8080",
      "[::1]:1337": "http://[::1]:1337",
      " 1.2.3.4 ": "http://1.2.3.4:11434",
      '"1.2.3.4"': "http://1.2.3.4:11434",
      "'1.2.3.4:80'": "http://1.2.3.4",
      "http://1.2.3.4": "http://1.2.3.4",
      "http://1.2.3.4:4321": "http://1.2.3.4:4321",
      "https://1.2.3.4": "https://1.2.3.4",
      "https://example.com:4321/": "https://example.com:4321",
      "example.com:56789/ollama": "http://example.com:56789/ollama",
      "ollama.com": "https://ollama.com",
      localhost: "http://localhost:11434",
    };
    for (const [OLLAMA_HOST, url] of Object.entries(table)) expect(await address({ env: { OLLAMA_HOST } }), OLLAMA_HOST).toBe(`${url} (OLLAMA_HOST)`);
  });

  it("warns of a port that is none and takes the default, as the server does", async () => {
    for (const OLLAMA_HOST of ["1.2.3.4:66000", "1.2.3.4:-1", "1.2.3.4:abc", "1.2.3.4:"]) {
      const { settings, diagnostics } = await load({ env: { OLLAMA_HOST } });
      expect(settings?.ollama.url, OLLAMA_HOST).toBe("http://1.2.3.4:11434");
      expect(diagnostics.map(({ severity }) => severity)).toEqual(["warning"]);
    }
  });

  it("takes base URLs with a path, without a port, with https and with a trailing slash", async () => {
    const table = {
      "http://localhost:11434/": "http://localhost:11434",
      "http://localhost": "http://localhost",
      "https://models.example.org/ollama//": "https://models.example.org/ollama",
      "localhost:11434": "http://localhost:11434",
      "http://0.0.0.0:11434": "http://127.0.0.1:11434",
      "http://[::]:1": "http://[::1]:1",
    };
    for (const [OLLAMA_BASE_URL, url] of Object.entries(table))
      expect(await address({ env: { OLLAMA_BASE_URL } }), OLLAMA_BASE_URL).toBe(`${url} (OLLAMA_BASE_URL)`);
  });

  it("SEC-20 refuses addresses with credentials and does not repeat them", async () => {
    const { settings, diagnostics } = await load({ env: { OLLAMA_HOST: "http://ann:hunter2@host:1", OLLAMA_BASE_URL: "ftp://x" } });
    expect(settings).toBeUndefined();
    expect(told(diagnostics)).toMatchInlineSnapshot(`
      "error[settings.value] OLLAMA_HOST: "http://***@host:1" holds credentials -> write it like http://localhost:11434
      error[settings.value] OLLAMA_BASE_URL: "ftp://x" is not an http or https URL -> write it like http://localhost:11434"
    `);
  });

  it("never fails otherwise, whatever the variable says", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "1", ":", "/", "[", "]", ".", "0", "@", "%", "?", "#", " ", "http", "://", "\\") }),
        async (OLLAMA_HOST) => {
          const { settings, diagnostics } = await load({ env: { OLLAMA_HOST } });
          expect(settings !== undefined || diagnostics.some(({ severity }) => severity === "error")).toBe(true);
          if (settings !== undefined) expect(URL.canParse(settings.ollama.url)).toBe(true);
        },
      ),
    );
  });

  it("S0.9 finds the store of a server on this machine, and none for a server elsewhere", async () => {
    expect((await settingsOf({ env: { OLLAMA_MODELS: '"/data/ollama"' } })).ollama.store).toBe("/data/ollama");
    expect((await settingsOf({ env: { OLLAMA_HOST: "127.0.0.1:5" } })).ollama.store).toBe("/home/ann/.ollama/models");
    expect((await settingsOf({ env: { OLLAMA_HOST: "gpu-01" } })).ollama).not.toHaveProperty("store");
  });
});

describe("the settings of the Hub", () => {
  const hub = async (env: Readonly<Record<string, string>>): Promise<Settings["huggingface"]> => (await settingsOf({ env })).huggingface;

  it("finds home, cache and token file as the Python client does", async () => {
    expect(await hub({ XDG_CACHE_HOME: "/xdg" })).toMatchObject({
      home: "/xdg/huggingface",
      cache: "/xdg/huggingface/hub",
      tokenFile: "/xdg/huggingface/token",
    });
    expect(await hub({ XDG_CACHE_HOME: "/xdg", HF_HOME: "~/hf" })).toMatchObject({
      home: "/home/ann/hf",
      cache: "/home/ann/hf/hub",
      tokenFile: "/home/ann/hf/token",
    });
    expect(await hub({ HF_HOME: "$DATA/hf", DATA: "/data", HUGGINGFACE_HUB_CACHE: "/old" })).toMatchObject({ home: "/data/hf", cache: "/old" });
    expect(await hub({ HF_HUB_CACHE: "${DATA}/new", HUGGINGFACE_HUB_CACHE: "/old", DATA: "/data", HF_TOKEN_PATH: "/run/token" })).toMatchObject({
      cache: "/data/new",
      tokenFile: "/run/token",
    });
    expect(await hub({ HF_HOME: "", HF_HUB_CACHE: "" })).toMatchObject({ home: "/home/ann/.cache/huggingface" });
  });

  it("takes the endpoint without its trailing slash", async () => {
    expect((await hub({ HF_ENDPOINT: "https://mirror.example.org/hf/" })).endpoint).toBe("https://mirror.example.org/hf");
  });

  it("is offline only for 1, on, yes and true, and the first variable that is set decides", async () => {
    for (const value of ["1", "ON", "yes", "True"]) expect((await hub({ HF_HUB_OFFLINE: value })).offline, value).toBe(true);
    for (const value of ["0", "no", "2", "offline"]) expect((await hub({ HF_HUB_OFFLINE: value })).offline, value).toBe(false);
    expect((await hub({ TRANSFORMERS_OFFLINE: "1" })).offline).toBe(true);
    expect((await hub({ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" })).offline).toBe(false);
    expect((await settingsOf({ env: { HF_HUB_OFFLINE: "1" }, flags: { "huggingface.offline": "false" } })).huggingface.offline).toBe(false);
    expect((await settingsOf({ project: "huggingface: {offline: true}\n" })).huggingface.offline).toBe(true);
  });

  it("SEC-20 takes the token from the environment and never shows it", async () => {
    expect((await hub({ HF_TOKEN: " hf_one\r\n", HUGGING_FACE_HUB_TOKEN: "hf_two" })).token).toBe("hf_one");
    expect((await hub({ HUGGING_FACE_HUB_TOKEN: "hf_two" })).token).toBe("hf_two");
    expect(await hub({ HF_TOKEN: "" })).not.toHaveProperty("token");
    const { provenance, diagnostics } = await load({ env: { HF_TOKEN: "hf_one" } });
    expect(JSON.stringify({ provenance, diagnostics })).not.toContain("hf_one");
    expect(await provenanceOf("huggingface.token", { env: { HF_TOKEN: "hf_one" } })).toBe("set from environment (HF_TOKEN)");
  });
});
