/** The D-Bus interfaces as stratisd declares them: what the daemon must have, independent of the table it is made from. */
import { readFileSync } from "node:fs";
import * as path from "node:path";

interface Argument {
  name: string;
  signature: string;
}
/** One revision of an interface. */
export interface DeclaredInterface {
  methods: { name: string; in: Argument[]; out: Argument[] }[];
  properties: { name: string; signature: string; access: string; emitsChanged: string }[];
}

/** This file is dist/tests/dbus/support/declared.js in the tree. */
const FIXTURES = path.resolve(__dirname, "..", "..", "..", "..", "tests", "fixtures");

/** By interface name. */
export const DECLARED = JSON.parse(
  readFileSync(path.join(FIXTURES, "dbus-interfaces.json"), "utf8"),
) as Record<string, DeclaredInterface>;

export const joined = (args: readonly Argument[]): string => args.map(({ signature }) => signature).join("");
