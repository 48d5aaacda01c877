/** Reads JSON (RFC 8259) into a tree that keeps the order of keys and the text of numbers. */

export type JsonText =
  | { readonly kind: "constant"; readonly value: null | boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "number"; readonly literal: string }
  | { readonly kind: "array"; readonly items: JsonText[] }
  | { readonly kind: "object"; readonly entries: [string, JsonText][] };

const BLANK = /[ \t\n\r]*/y;
/** What may end a string, or hide its end. */
const QUOTE_OR_ESCAPE = /["\\]/g;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const CONSTANT = /true|false|null/y;
/** Deeper than anything that stratisd sends, and far from exhausting the stack. */
const MAX_DEPTH = 500;

class Reader {
  #position = 0;
  #depth = 0;

  constructor(readonly text: string) {}

  document(): JsonText {
    const value = this.#value();
    if (this.#position !== this.text.length) throw this.#unexpected("the end");
    return value;
  }

  #value(): JsonText {
    this.#skipBlanks();
    const value = this.#bareValue();
    this.#skipBlanks();
    return value;
  }

  #bareValue(): JsonText {
    if (this.#take("{")) return this.#nested(() => ({ kind: "object", entries: this.#entries() }));
    if (this.#take("[")) return this.#nested(() => ({ kind: "array", items: this.#items() }));
    const constant = this.#match(CONSTANT);
    if (constant !== null)
      return { kind: "constant", value: constant === "null" ? null : constant === "true" };
    const literal = this.#match(NUMBER);
    if (literal !== null) return { kind: "number", literal };
    return { kind: "string", value: this.#string("a value") };
  }

  #nested(read: () => JsonText): JsonText {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxError(`JSON is nested deeper than ${MAX_DEPTH} levels`);
    const value = read();
    this.#depth--;
    return value;
  }

  #entries(): [string, JsonText][] {
    const entries: [string, JsonText][] = [];
    this.#skipBlanks();
    if (this.#take("}")) return entries;
    do {
      this.#skipBlanks();
      const key = this.#string("a key");
      this.#skipBlanks();
      if (!this.#take(":")) throw this.#unexpected('":"');
      entries.push([key, this.#value()]);
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#unexpected('"," or "}"');
    return entries;
  }

  #items(): JsonText[] {
    const items: JsonText[] = [];
    this.#skipBlanks();
    if (this.#take("]")) return items;
    do items.push(this.#value());
    while (this.#take(","));
    if (!this.#take("]")) throw this.#unexpected('"," or "]"');
    return items;
  }

  #string(expected: string): string {
    if (this.text[this.#position] !== '"') throw this.#unexpected(expected);
    const literal = this.text.slice(this.#position, this.#endOfString());
    try {
      const value = JSON.parse(literal) as string;
      this.#position += literal.length;
      return value;
    } catch {
      // The engine's message would give a place in the string, not in the text.
      throw this.#unexpected("a string");
    }
  }

  /** The place after the quote that ends the string here, or the end of the text. */
  #endOfString(): number {
    QUOTE_OR_ESCAPE.lastIndex = this.#position + 1;
    for (
      let found = QUOTE_OR_ESCAPE.exec(this.text);
      found !== null;
      found = QUOTE_OR_ESCAPE.exec(this.text)
    ) {
      if (found[0] === '"') return found.index + 1;
      QUOTE_OR_ESCAPE.lastIndex = found.index + 2;
    }
    return this.text.length;
  }

  #skipBlanks(): void {
    this.#match(BLANK);
  }

  #take(character: string): boolean {
    if (this.text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return null;
    this.#position += found.length;
    return found;
  }

  #unexpected(expected: string): SyntaxError {
    const found = this.text.slice(this.#position, this.#position + 20);
    const what = found === "" ? "the text ends" : `${JSON.stringify(found)} was found`;
    return new SyntaxError(`Not JSON: at character ${this.#position} ${expected} was expected, but ${what}`);
  }
}

/** Throws SyntaxError, with the place, for text that is not JSON. */
export const parseJsonText = (text: string): JsonText => new Reader(text).document();
