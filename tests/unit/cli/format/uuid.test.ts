import assert from "node:assert/strict";
import { test } from "node:test";
import { hyphenated, parseUuid } from "../../../../cli/format/uuid";

const DIGITS = "0c2caf641dde41beb40bed6911f75c74";
const HYPHENATED = "0c2caf64-1dde-41be-b40b-ed6911f75c74";

test("UUIDs are taken in all forms of cli.md §4.4", () => {
  const forms = [
    DIGITS,
    HYPHENATED,
    HYPHENATED.toUpperCase(),
    `{${HYPHENATED}}`,
    `urn:uuid:${HYPHENATED}`,
    `uuid:${DIGITS}`,
    DIGITS.split("").join("-"),
  ];
  for (const form of forms) assert.equal(parseUuid(form), DIGITS, form);
});

test("other text is no UUID", () => {
  for (const text of ["", "not", DIGITS.slice(1), `${DIGITS}0`, `${DIGITS.slice(1)}g`, `(${DIGITS})`])
    assert.equal(parseUuid(text), null, text);
});

test("the hyphenated form is 8-4-4-4-12", () => {
  assert.equal(hyphenated(DIGITS), HYPHENATED);
});
