/** The part of dbus-next that encodes and decodes messages; the package has no types for it. */
declare module "dbus-next/lib/signature" {
  export interface Tree {
    readonly type: string;
    readonly child: readonly Tree[];
  }
  /** Throws for a signature that is none. */
  export function parseSignature(signature: string): [Tree, ...Tree[]];
}

declare module "dbus-next/lib/dbus-buffer" {
  import type { Tree } from "dbus-next/lib/signature";

  /** Header fields: [code, [signature of the value, [the value]]]. */
  type Field = [number, [unknown, [unknown]]];

  class DBusBuffer {
    constructor(buffer: Buffer, startPosition: number, endian: number, descriptors: ArrayLike<number>);
    pos: number;
    /** To a multiple of 2 to the `power`. */
    align(power: number): void;
    readArray(element: Tree, bytes: number): Field[];
    read(signature: string): unknown[];
  }
  export = DBusBuffer;
}

declare module "dbus-next/lib/marshall-compat" {
  /** Turns dbus-next's inner form of the body into plain values; changes and returns its argument. */
  export function messageToJsFmt(message: Record<string, unknown>): Record<string, unknown>;
  /** Bytes and the descriptors that belong to them; throws when the body does not fit the signature. */
  export function marshallMessage(message: object): [Buffer, number[]];
}

declare module "dbus-next/lib/variant" {
  export { Variant } from "dbus-next";
}
