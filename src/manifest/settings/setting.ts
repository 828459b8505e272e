import settingsSchema from "../schemas/settings.schema.json" with { type: "json" };
import type { WrittenSettings } from "../written/settings.ts";

type Leaves<T> = { [K in keyof T & string]-?: NonNullable<T[K]> extends object ? `${K}.${Leaves<NonNullable<T[K]>>}` : K }[keyof T & string];

/** Where a setting is found in the file, for example `prune.grace`. */
export type SettingKey = Leaves<WrittenSettings>;

/** One setting as its schema describes it. */
export interface Setting {
  readonly key: string;
  readonly kind: "path" | "duration" | "integer" | "boolean" | "choice" | "text";
  readonly choices: readonly string[];
  readonly minimum: number;
  readonly maximum: number;
  readonly environment: readonly string[];
  readonly default?: string | number | boolean;
}

interface SchemaNode {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly environment?: readonly string[];
  readonly default?: string | number | boolean;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

/** Every setting by its key, read from the schema: the one place that knows defaults, ranges and environment variables. */
export const settingsByKey: ReadonlyMap<string, Setting> = new Map(collect(settingsSchema, "").map((setting) => [setting.key, setting]));

function collect(node: SchemaNode, key: string): readonly Setting[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, part]) => collect(part, key === "" ? name : `${key}.${name}`));
  }
  return [
    {
      key,
      kind: kindOf(node),
      choices: node.enum ?? [],
      minimum: node.minimum ?? 0,
      maximum: node.maximum ?? Number.MAX_SAFE_INTEGER,
      environment: node.environment ?? [],
      ...(node.default === undefined ? {} : { default: node.default }),
    },
  ];
}

function kindOf(node: SchemaNode): Setting["kind"] {
  if (node.$ref?.endsWith("/directory") === true) return "path";
  if (node.$ref?.endsWith("/duration") === true) return "duration";
  if (node.enum !== undefined) return "choice";
  return node.type === "integer" || node.type === "boolean" ? node.type : "text";
}
