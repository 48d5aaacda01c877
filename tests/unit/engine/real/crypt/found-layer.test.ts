import assert from "node:assert/strict";
import { test } from "node:test";
import { encryptedRecord } from "../../../../../src/engine/real/backstore/allocation";
import { formerPlace, judgeLayer } from "../../../../../src/engine/real/crypt/found-layer";
import type { DataStage, PoolCrypt } from "../../../../../src/engine/real/crypt/pool-crypt";
import { goldenPool } from "../pools";

const plain = goldenPool("v2_plain-disk1").record;
const encrypted = encryptedRecord(plain);
const header = (stage: DataStage): PoolCrypt => ({ stage }) as unknown as PoolCrypt;
const CONTAINER = { major: 253, minor: 1 };
const MAPPING = { major: 253, minor: 2 };

test("no header and none recorded: a plain pool", () => {
  assert.deepEqual(judgeLayer(plain, null), { crypt: null, leftover: null, record: plain });
});

test("a recorded header that is missing is an error", () => {
  assert.throws(() => judgeLayer(encrypted, null), /encryption is enabled but no header was found/);
});

for (const stage of ["encrypted", "underway"] as const)
  test(`data that are ${stage} are reached through the header, whatever the record says`, () => {
    for (const record of [plain, encrypted]) {
      const layer = judgeLayer(record, header(stage));
      assert.equal(layer.crypt?.stage, stage);
      assert.equal(layer.leftover, null);
      assert.deepEqual(layer.record, encrypted);
    }
  });

test("an encryption that has not begun is taken back before it is recorded, and goes on afterwards", () => {
  const before = judgeLayer(plain, header("untouched"));
  assert.deepEqual([before.crypt, before.leftover?.stage, before.record], [null, "untouched", plain]);
  const after = judgeLayer(encrypted, header("untouched"));
  assert.deepEqual([after.crypt?.stage, after.leftover, after.record], ["untouched", null, encrypted]);
});

test("a header of data that are decrypted is left over, whatever the record says", () => {
  for (const record of [plain, encrypted]) {
    const layer = judgeLayer(record, header("decrypted"));
    assert.deepEqual([layer.crypt, layer.leftover?.stage, layer.record], [null, "decrypted", plain]);
  }
});

test("flex devices may still be where they were on the other side", () => {
  const encryptedLayer = judgeLayer(encrypted, header("underway"));
  assert.deepEqual(formerPlace(encryptedLayer, CONTAINER, MAPPING), { record: plain, cap: CONTAINER });
  const plainLayer = judgeLayer(encrypted, header("decrypted"));
  assert.deepEqual(formerPlace(plainLayer, CONTAINER, MAPPING), { record: encrypted, cap: MAPPING });
  assert.equal(formerPlace(plainLayer, CONTAINER, null), undefined);
  assert.equal(formerPlace(judgeLayer(plain, null), CONTAINER, MAPPING), undefined);
});
