/** What an examination finds. */

/**
 * ok: in order; note: worth knowing, and in order; warning: something does not work, or soon will not; error: Stratis or
 * a pool does not work.
 */
export type Level = "ok" | "note" | "warning" | "error";

export interface Finding {
  readonly level: Level;
  /** What is the matter, in one sentence without a full stop. */
  readonly message: string;
  /** What to do about it, or the command to type. */
  readonly advice?: string;
}

export const ok = (message: string): Finding => ({ level: "ok", message });

const finding =
  (level: Level) =>
  (message: string, advice?: string): Finding => ({
    level,
    message,
    ...(advice === undefined ? {} : { advice }),
  });

export const note = finding("note");
export const warning = finding("warning");
export const failure = finding("error");
