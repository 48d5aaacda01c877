import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { parseStratisToken, printStratisToken } from "../../../../../src/engine/real/crypt/stratis-token";
import { packageRoot } from "../../../../../src/native";

const GOLDEN = path.join(packageRoot, "tests", "fixtures", "golden", "v1_key", "luks.json");
const golden = (
  JSON.parse(readFileSync(GOLDEN, "utf8")) as { tokens: Record<string, Record<string, unknown>> }
).tokens;
const written = golden["0"] ?? {};
const changed = (members: Record<string, unknown>): string => JSON.stringify({ ...written, ...members });

test("the token that stratisd wrote is read, and written again with the same members", () => {
  const token = parseStratisToken(JSON.stringify(written));
  assert.deepEqual(token, {
    poolUuid: "1018d678-16b4-496e-8893-736f4b9774bf",
    devUuid: "887e6036-ceec-49e6-88c0-8e9152712a82",
    poolName: "golden",
  });
  assert.deepEqual(JSON.parse(printStratisToken(token)), written);
});

test("the name is optional, and UUIDs may be without hyphens", () => {
  const unnamed = changed({ pool_name: undefined });
  const token = parseStratisToken(unnamed);
  assert.equal(token?.poolName, null);
  assert.equal("pool_name" in (JSON.parse(printStratisToken(token)) as object), false);
  const simple = parseStratisToken(changed({ pool_uuid: "1018d67816b4496e8893736f4b9774bf" }));
  assert.equal(simple?.poolUuid, "1018d678-16b4-496e-8893-736f4b9774bf");
});

test("tokens of another type are none of ours", () => {
  assert.equal(parseStratisToken(JSON.stringify(golden["1"])), null);
  for (const json of ["null", "[]", '"stratis"', "{}"]) assert.equal(parseStratisToken(json), null, json);
});

test("a token that stratisd would not take is an error that says why", () => {
  for (const [members, reason] of [
    [{ comment: "x" }, /comment is unknown/],
    [{ keyslots: ["0"] }, /keyslots is not empty/],
    [{ keyslots: null }, /keyslots/],
    [{ pool_uuid: "not one" }, /not a UUID/],
    [{ device_uuid: 5 }, /device_uuid is not text/],
    [{ pool_name: 7 }, /pool_name is not text/],
    [{ activation_name: "cryptroot" }, /activation_name is cryptroot/],
  ] as const)
    assert.throws(() => parseStratisToken(changed(members)), reason, JSON.stringify(members));
  assert.throws(() => parseStratisToken("{"));
});
