/** Colours, for people at a terminal who have not asked for none (no-color.org). */
import type { Io, Output } from "../io";

export type Paint = (text: string) => string;

const plain: Paint = (text) => text;

const sgr =
  (code: number): Paint =>
  (text) =>
    text === "" ? "" : `\x1b[${code}m${text}\x1b[0m`;

export interface Palette {
  readonly title: Paint;
  readonly good: Paint;
  readonly remark: Paint;
  readonly warning: Paint;
  readonly error: Paint;
}

const COLOURLESS: Palette = { title: plain, good: plain, remark: plain, warning: plain, error: plain };
const COLOURED: Palette = { title: sgr(1), good: sgr(32), remark: sgr(36), warning: sgr(33), error: sgr(31) };

export function paletteOf({ stdout, env }: { readonly stdout: Output; readonly env: Io["env"] }): Palette {
  const unwanted = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return stdout.isTTY === true && !unwanted ? COLOURED : COLOURLESS;
}
