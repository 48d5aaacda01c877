/** What may have been meant by a word that the grammar does not know: for people at a terminal. */
import type { ParseError } from "../parser/parse";
import { nearNames } from "./near";
import { alternatives } from "./shell";

/** Lines for the terminal, each with its newline. */
export const usageHints = ({ unknown }: ParseError): string =>
  (unknown?.words ?? [])
    .map((word) => nearNames(word, unknown?.choices ?? []))
    .filter((near) => near.length > 0)
    .map((near) => `Hint: Did you mean ${alternatives(near)}?\n`)
    .join("");
