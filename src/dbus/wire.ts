/**
 * What D-Bus signatures mean as TypeScript types, computed by the compiler from the signature's text, so that a row
 * of the interface table and the function that serves it cannot disagree.
 */
import type { Variant } from "dbus-next/lib/variant";

export type AnyVariant = Variant<unknown>;

interface Basic {
  b: boolean;
  y: number;
  n: number;
  q: number;
  i: number;
  u: number;
  x: bigint;
  t: bigint;
  d: number;
  s: string;
  o: string;
  g: string;
  /** Index into the message's file descriptors. */
  h: number;
  v: AnyVariant;
}

/** The first complete type of a signature and what is left of it. */
type First<S extends string> = S extends `a{s${infer Value}`
  ? First<Value> extends [infer T, `}${infer Rest}`]
    ? [Record<string, T>, Rest]
    : never
  : S extends `a${infer Element}`
    ? First<Element> extends [infer T, infer Rest]
      ? [T[], Rest]
      : never
    : S extends `(${infer Members}`
      ? Members_<Members, []>
      : S extends `${infer Code}${infer Rest}`
        ? Code extends keyof Basic
          ? [Basic[Code], Rest]
          : never
        : never;

type Members_<S extends string, Found extends unknown[]> = S extends `)${infer Rest}`
  ? [Found, Rest]
  : First<S> extends [infer T, infer Rest extends string]
    ? Members_<Rest, [...Found, T]>
    : never;

/** The value of one complete type: Wire<"(bas)"> is [boolean, string[]]. */
export type Wire<S extends string> = First<S> extends [infer T, ""] ? T : never;

/** The values of an argument list written "name:s devices:as". */
export type WireArguments<S extends string> = S extends ""
  ? []
  : S extends `${string}:${infer Signature} ${infer Rest}`
    ? [Wire<Signature>, ...WireArguments<Rest>]
    : S extends `${string}:${infer Signature}`
      ? [Wire<Signature>]
      : never;

export interface Argument {
  readonly name: string;
  readonly signature: string;
}

/** The arguments of "name:s devices:as", in order. */
export function parseArguments(text: string): readonly Argument[] {
  if (text === "") return [];
  return text.split(" ").map((argument) => {
    const [name, signature] = argument.split(":");
    if (name === undefined || signature === undefined)
      throw new Error(`Argument ${JSON.stringify(argument)} of the interface table has no signature`);
    return { name, signature };
  });
}

export const joinSignatures = (args: readonly Argument[]): string =>
  args.map(({ signature }) => signature).join("");
