/** One JSON object, read field by field; every method throws a plain Error that names the field. */
export class Fields {
  readonly #name: string;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(name: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${name} is not an object`);
    this.#name = name;
    this.#values = new Map<string, unknown>(Object.entries(value));
  }

  text(name: string): string {
    const value = this.#values.get(name);
    if (typeof value !== "string") throw new Error(`${this.#name}.${name} is not a text`);
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.#values.has(name) ? this.text(name) : undefined;
  }

  number(name: string): number {
    const value = this.#values.get(name);
    if (typeof value !== "number") throw new Error(`${this.#name}.${name} is not a number`);
    return value;
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value {
    const text = this.text(name);
    const known = values.find((value) => value === text);
    if (known === undefined) throw new Error(`${this.#name}.${name} is ${JSON.stringify(text)}`);
    return known;
  }

  texts(name: string): readonly string[] {
    return this.#list(name).map((item) => {
      if (typeof item !== "string") throw new Error(`${this.#name}.${name} holds something else than texts`);
      return item;
    });
  }

  list<Item>(name: string, decode: (fields: Fields) => Item): readonly Item[] {
    return this.#list(name).map((item) => decode(new Fields(name, item)));
  }

  inner<Item>(name: string, decode: (fields: Fields) => Item): Item {
    return decode(new Fields(name, this.#values.get(name)));
  }

  optional<Item>(name: string, decode: (fields: Fields) => Item): Item | undefined {
    return this.#values.has(name) ? this.inner(name, decode) : undefined;
  }

  /** Every field of an object whose names are data. */
  map<Item>(decode: (name: string) => Item): Readonly<Record<string, Item>> {
    return Object.fromEntries([...this.#values.keys()].map((name) => [name, decode(name)]));
  }

  #list(name: string): readonly unknown[] {
    const value = this.#values.get(name);
    if (!Array.isArray(value)) throw new Error(`${this.#name}.${name} is not a list`);
    return value;
  }
}
