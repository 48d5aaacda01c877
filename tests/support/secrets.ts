/** Secrets of the addon, from text and to text again: for what tests make up, and no program does. */
import { closeSync, readSync } from "node:fs";
import { native, type Secret } from "../../src/native";

export const secretOf = (text: string | Uint8Array): Secret => native().secretFrom(Buffer.from(text));

export function secretText(secret: Secret): string {
  const { readEnd, writeEnd } = native().pipeWith(secret);
  const bytes = Buffer.alloc(secret.bytes);
  if (bytes.length > 0) readSync(readEnd, bytes);
  for (const end of [readEnd, writeEnd]) closeSync(end);
  return bytes.toString();
}
