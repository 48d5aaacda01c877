/** The values of a parsed command line, by the names that the grammar gives them. */

export type Value = true | string | bigint | readonly (string | bigint)[];

export class Values {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Whether a flag was given. */
  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  /** An argument that the grammar requires. */
  text(name: string): string {
    return required(name, this.maybeText(name));
  }

  maybeText(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === "string") return value;
    throw new TypeError(`The value of ${name} is not text`);
  }

  integer(name: string): bigint {
    return required(name, this.maybeInteger(name));
  }

  maybeInteger(name: string): bigint | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === "bigint") return value;
    throw new TypeError(`The value of ${name} is not an integer`);
  }

  /** All words of an argument that takes several, none if it was not given. */
  texts(name: string): string[] {
    const value = this.#values.get(name) ?? [];
    if (!Array.isArray(value)) throw new TypeError(`The value of ${name} is not a list`);
    return value.map(String);
  }
}

function required<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`The grammar does not require ${name}, but its action does`);
  return value;
}
