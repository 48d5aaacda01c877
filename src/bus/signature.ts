/** Type signatures of D-Bus as trees, within the limits of its specification ("Valid Signatures"). */

const MAX_LENGTH = 255;
/** Of arrays within arrays, and of structs within structs. */
const MAX_NESTING = 32;
const BASIC_TYPES = "ybnqiuxtdsogh";

/** A type code; "(" for structs, "{" for entries of dictionaries. */
export type TypeCode =
  "y" | "b" | "n" | "q" | "i" | "u" | "x" | "t" | "d" | "s" | "o" | "g" | "h" | "v" | "a" | "(" | "{";

export interface SignatureNode {
  readonly code: TypeCode;
  readonly children: readonly SignatureNode[];
}

export class InvalidSignature extends Error {
  override name = "InvalidSignature";
}

const cache = new Map<string, readonly SignatureNode[]>();
/** Signatures come from other processes too; the service's own are a few dozen. */
const MAX_CACHED = 512;

/** The complete types of a signature. Throws InvalidSignature. */
export function parseSignature(signature: string): readonly SignatureNode[] {
  const known = cache.get(signature);
  if (known !== undefined) return known;
  if (signature.length > MAX_LENGTH)
    throw new InvalidSignature(`A signature of ${signature.length} bytes is longer than ${MAX_LENGTH}`);
  const parser = new Parser(signature);
  const nodes: SignatureNode[] = [];
  while (!parser.atEnd) nodes.push(parser.completeType(0, 0));
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(signature, nodes);
  return nodes;
}

/** The tree of a signature that is one complete type. Throws InvalidSignature. */
export function parseSingleType(signature: string): SignatureNode {
  const [node, ...more] = parseSignature(signature);
  if (node === undefined || more.length > 0)
    throw new InvalidSignature(`${JSON.stringify(signature)} is not one complete type`);
  return node;
}

class Parser {
  #at = 0;
  constructor(readonly text: string) {}

  get atEnd(): boolean {
    return this.#at >= this.text.length;
  }

  completeType(arrays: number, structs: number): SignatureNode {
    const code = this.text[this.#at++];
    if (code === "a") return this.#array(arrays + 1, structs);
    if (code === "(") {
      const children: SignatureNode[] = [];
      if (structs + 1 > MAX_NESTING) throw this.#invalid("nests structs too deeply");
      while (this.text[this.#at] !== ")") children.push(this.completeType(arrays, structs + 1));
      if (children.length === 0) throw this.#invalid("has an empty struct");
      this.#at++;
      return { code, children };
    }
    if (code === undefined || (code !== "v" && !BASIC_TYPES.includes(code)))
      throw this.#invalid(code === undefined ? "ends within a type" : `has the unknown type ${code}`);
    return { code: code as TypeCode, children: [] };
  }

  #array(arrays: number, structs: number): SignatureNode {
    if (arrays > MAX_NESTING) throw this.#invalid("nests arrays too deeply");
    if (this.text[this.#at] !== "{") return { code: "a", children: [this.completeType(arrays, structs)] };
    this.#at++;
    if (structs + 1 > MAX_NESTING) throw this.#invalid("nests structs too deeply");
    const key = this.completeType(arrays, structs + 1);
    if (!BASIC_TYPES.includes(key.code))
      throw this.#invalid("has a dictionary whose keys are not of a basic type");
    const value = this.completeType(arrays, structs + 1);
    if (this.text[this.#at] !== "}") throw this.#invalid("has a dictionary entry that is not a pair");
    this.#at++;
    return { code: "a", children: [{ code: "{", children: [key, value] }] };
  }

  #invalid(how: string): InvalidSignature {
    return new InvalidSignature(
      `Signature ${JSON.stringify(this.text)} is not valid: it ${how}, at ${this.#at}`,
    );
  }
}

const ALIGNMENT: Record<TypeCode, number> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, h: 4, a: 4 },
  ...{ x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

/** In bytes, from the start of the message. */
export const alignmentOf = (node: SignatureNode): number => ALIGNMENT[node.code];
