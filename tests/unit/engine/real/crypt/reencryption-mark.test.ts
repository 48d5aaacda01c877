import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findReencryptionMark,
  outcomeOf,
  reencryptionMark,
} from "../../../../../src/engine/real/crypt/reencryption-mark";

const keyslots = (
  bound: number[],
  unbound: number[],
): { keyslots: { keyslot: number; unbound: boolean }[] } => ({
  keyslots: [
    ...bound.map((keyslot) => ({ keyslot, unbound: false })),
    ...unbound.map((keyslot) => ({ keyslot, unbound: true })),
  ],
});
const OTHER = { slot: 0, json: '{"type":"luks2-keyring","keyslots":["0"],"key_description":"x"}' };
const mark = { slot: 4, json: reencryptionMark(keyslots([0, 1], [7])) };

test("a mark is found among the tokens of others", () => {
  assert.equal(findReencryptionMark([OTHER]), null);
  assert.deepEqual(findReencryptionMark([OTHER, mark]), { slot: 4, bound: [0, 1], unbound: [7] });
});

test("a mark that makes no sense is an error", () => {
  const broken = {
    slot: 1,
    json: '{"type":"stratis-reencryption","keyslots":[],"bound":["0"],"unbound":[]}',
  };
  assert.throws(() => findReencryptionMark([broken]), /token 1: "bound"/);
});

test("what was added for a re-encryption that did not begin is known from what was there", () => {
  const found = findReencryptionMark([mark]);
  assert.ok(found !== null);
  assert.deepEqual(outcomeOf(found, keyslots([0, 1], [7])), { done: false, added: [] });
  assert.deepEqual(outcomeOf(found, keyslots([0, 1], [2, 3, 7])), { done: false, added: [2, 3] });
});

test("it is done when the old key has no keyslot left", () => {
  const found = findReencryptionMark([mark]);
  assert.ok(found !== null);
  assert.deepEqual(outcomeOf(found, keyslots([2, 3], [7])), { done: true });
});
