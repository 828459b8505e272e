import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { schemas } from "../../manifest/schemas.ts";
import { failed } from "../../domain/failure.ts";
import type { CommonOptions, Session } from "../session.ts";
import { manifestTemplate, policyTemplate, settingsTemplate } from "./init-templates.ts";

/** `holdfast init [DIR]`: a project that validates, plans and explains itself; never overwrites a file. */
export async function init(session: Session, _options: CommonOptions, [dir]: readonly string[]): Promise<number> {
  const root = resolve(dir ?? session.settings.paths.root);
  const { createOutputs } = await import("../../wiring/host.ts");
  const outputs = createOutputs(session.settings);
  const files: readonly (readonly [string, string])[] = [
    [join(root, "manifests", "models.yaml"), manifestTemplate],
    [join(root, "policies", "code-at-load.yaml"), policyTemplate],
    [join(root, "configs", "holdfast.yaml"), settingsTemplate],
    [join(root, ".gitignore"), ".holdfast/\n_staging/\nlogs/\n"],
    ...Object.entries(schemas).map(([name, schema]): readonly [string, string] => [
      join(root, "configs", "schemas", `${name}.schema.json`),
      `${JSON.stringify(schema, undefined, 2)}\n`,
    ]),
  ];
  if (existsSync(join(root, "manifests")))
    throw failed("invalid-input", `${join(root, "manifests")} exists already`, {
      remedy: "init starts new projects; edit the manifests there, or choose another folder",
    });
  for (const [path, text] of files) if (!existsSync(path)) await outputs.write(path, text);
  const shown = relative(process.cwd(), root) || ".";
  process.stdout.write(`Started a project in ${shown}:
  manifests/models.yaml   declare models here
  policies/               rules for every plan: no code that runs when a model is loaded
  configs/holdfast.yaml   settings, all optional
  configs/schemas/        JSON Schemas; editors with YAML support complete and check as you type
Next:${shown === "." ? "" : `\n  cd ${shown}`}
  holdfast plan           what would happen (nothing is declared yet)
  holdfast adopt          declare what this machine already has
`);
  return 0;
}
