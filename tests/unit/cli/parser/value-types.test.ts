import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ValueError } from "../../../../cli/parser/grammar";
import * as types from "../../../../cli/parser/value-types";

test("sizes are digits and a unit", () => {
  const vectors: [string, bigint][] = [
    ["0B", 0n],
    ["5GiB", 5n * 1024n ** 3n],
    ["05KiB", 5n * 1024n],
    ["2TiB", 2199023255552n],
    ["16384PiB", 1n << 64n],
    ["5GiB\n", 5n * 1024n ** 3n],
  ];
  for (const [word, bytes] of vectors) assert.equal(types.size(word), bytes, word);
});

test("ill-formed sizes are refused", () => {
  const words = [
    "",
    "5",
    "GiB",
    "32GB",
    "32 GiB",
    "1EiB",
    "5gib",
    "-5GiB",
    "+5GiB",
    "1.5GiB",
    "5GiB\n\n",
    " 5GiB",
    "\u0665GiB",
    "current",
  ];
  for (const word of words) assert.throws(() => types.size(word), /Ill-formed size specification: /, word);
});

test("any number of digits is exact", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 200n }), (number) => {
      assert.equal(types.size(`${number}MiB`), number * 1024n * 1024n);
    }),
  );
});

test("a limit may be the word current", () => {
  assert.equal(types.sizeOrCurrent("current"), "current");
  assert.equal(types.sizeOrCurrent("2TiB"), "2TiB");
  assert.throws(() => types.sizeOrCurrent("Current"), ValueError);
});

test("natural numbers have to fit their type on D-Bus", () => {
  assert.equal(types.amount("18446744073709551615"), (1n << 64n) - 1n);
  assert.throws(() => types.amount("18446744073709551616"), /too large/);
  assert.equal(types.tokenSlot("4294967295"), 4294967295n);
  assert.throws(() => types.tokenSlot("4294967296"), /too large/);
  assert.throws(() => types.amount("-1"), /Argument -1 is not a natural number\./);
  assert.throws(() => types.amount("1.2"), /Argument 1\.2 is not a natural number\./);
});

test("words of enumerations are exact, and refused by the name of their type", () => {
  assert.equal(types.yesOrNo("yes"), "yes");
  assert.throws(() => types.yesOrNo("Yes"), /^ValueError: invalid YesOrNo value: 'Yes'$/);
  assert.throws(() => types.clevis("t"), /invalid Clevis value/);
  assert.throws(() => types.unlockMethod("all"), /invalid UnlockMethod value/);
  assert.throws(() => types.encryptionMethod("any"), /invalid EncryptionMethod value/);
  assert.throws(() => types.integrityOption("yes"), /invalid IntegrityOption value/);
  assert.throws(() => types.integrityTagSpec("64b"), /invalid IntegrityTagSpec value/);
  assert.throws(() => types.integrityTagSpec("0b"), /invalid choice: '0b'/);
  assert.throws(() => types.reportKey("r"), /invalid ReportKey value/);
  assert.throws(() => types.uuid("not"), /invalid UUID value: 'not'/);
});
