/** What tests of target lines share. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DmFormatError } from "../../../src/dm/errors";
import type { DmTargetLine } from "../../../src/native";

export const line = (type: string, params: string, length = 100n, start = 0n): DmTargetLine => ({
  start,
  length,
  type,
  params,
});

/** For assert.throws. */
export const dmError =
  (message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof DmFormatError, `threw ${String(error)}`);
    assert.match(error.message, message);
    return true;
  };

/** Params of `valid` lines with words exchanged, cut off or added, and texts without any sense. */
export function damagedParams(valid: readonly string[]): fc.Arbitrary<string> {
  const words = [
    "-",
    "Fail",
    "Error",
    "0",
    "1",
    "-1",
    "18446744073709551616",
    "1/2",
    "1/2/3",
    "253:1",
    "253:",
    "x",
    "",
  ];
  const exchanged = fc
    .tuple(
      fc.constantFrom(...valid),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...words)), { maxLength: 3 }),
      fc.nat(),
    )
    .map(([params, changes, cut]) => {
      const parts = params.split(" ");
      for (const [position, word] of changes) parts[position % parts.length] = word;
      return parts.slice(0, parts.length - (cut % 3)).join(" ");
    });
  return fc.oneof(
    exchanged,
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...words)).map((parts) => parts.join(" ")),
  );
}

/** Whatever the line: a result, or the one error that parsers may throw. */
export function assertOnlyFormatErrors(
  type: string,
  valid: readonly string[],
  parse: (line: DmTargetLine) => unknown,
): void {
  fc.assert(
    fc.property(damagedParams(valid), (params) => {
      try {
        parse(line(type, params));
      } catch (error) {
        assert.ok(error instanceof DmFormatError, `threw ${String(error)}`);
      }
    }),
    { numRuns: 500 },
  );
  assert.throws(() => parse(line("error", valid[0] ?? "")), dmError(/target "error" where/));
}

export const anyDevice = fc.record(
  { major: fc.integer({ min: 0, max: 4095 }), minor: fc.integer({ min: 0, max: 2 ** 20 - 1 }) },
  { noNullPrototype: true },
);
export const anyU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
