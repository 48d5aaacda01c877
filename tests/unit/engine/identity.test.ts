import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { EngineError } from "../../../src/engine/errors";
import { requireSameDevices } from "../../../src/engine/identity";

const path = fc.constantFrom("/dev/a", "/dev/b", "/dev/c", "/dev/d");

test("the same devices are the same pool, in any order and however often they are named", () => {
  requireSameDevices("p", ["/dev/b", "/dev/a", "/dev/b"], ["/dev/a", "/dev/b"]);
});

test("the error names what is missing and what was not asked for", () => {
  assert.throws(
    () => {
      requireSameDevices("p", ["/dev/b"], ["/dev/a"]);
    },
    new EngineError(
      "There was a difference in the blockdevs associated with the existing pool named p and the input requesting " +
        "creation of a pool by the same name - the input requests blockdev /dev/b which does not exist in the current " +
        "pool - the existing pool contains blockdev /dev/a which was not requested by the input",
    ),
  );
});

test("each device is named once, sorted", () => {
  assert.throws(() => {
    requireSameDevices("p", ["/dev/c", "/dev/b", "/dev/c", "/dev/a"], ["/dev/a"]);
  }, /requests blockdevs \/dev\/b, \/dev\/c which do not exist in the current pool$/);
});

test("it is refused exactly when the sets of paths differ", () => {
  fc.assert(
    fc.property(fc.array(path), fc.uniqueArray(path), (requested, existing) => {
      const same =
        new Set(requested).size === existing.length && existing.every((p) => requested.includes(p));
      const check = (): void => {
        requireSameDevices("p", requested, existing);
      };
      if (same) assert.doesNotThrow(check);
      else assert.throws(check, EngineError);
    }),
  );
});
