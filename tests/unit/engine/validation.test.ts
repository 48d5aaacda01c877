import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { EngineError } from "../../../src/engine/errors";
import {
  MAX_TOKENS,
  MIN_FILESYSTEM_SIZE,
  validateEncryption,
  validateFilesystemSize,
  validateIntegrity,
  validateName,
  validatePaths,
} from "../../../src/engine/validation";
import { bytes, sectorsToBytes } from "../../../src/units";

const VALID = [
  "...",
  "ok.name",
  "ok_name",
  "a,b",
  "\u263a",
  "\u30e6\u30cb\u30b3\u30fc\u30c9",
  "\u{10fff8}",
  "\u{1030f}".repeat(63),
  "a\u00a0b",
  "x\ufeff",
  "#+,-.:=@_",
  "0",
];

for (const name of VALID)
  test(`name ${JSON.stringify(name)} is valid`, () => {
    assert.doesNotThrow(() => {
      validateName(name);
    });
  });

const INVALID: [name: string, why: RegExp][] = [
  ["", /is empty/],
  ["a\0b", /null character/],
  [".", /is \. or \.\./],
  ["..", /is \. or \.\./],
  ["\u{1030f}".repeat(64), /more than 255 bytes/],
  ["a".repeat(256), /more than 255 bytes/],
  [" leading", /begins or ends with white space/],
  ["trailing ", /begins or ends with white space/],
  ["trailing\u3000", /begins or ends with white space/],
  ["\tx", /begins or ends with white space/],
  ["a\u0007b", /control characters/],
  ["a\u0085b", /control characters/],
  ["ok name with spaces", /contains the character " "/],
  ["exclamat!on", /contains the character "!"/],
  ["dollar$ign", /contains the character "\$"/],
  ["*< ? >", /contains the character "\*"/],
  ["\\", /contains the character/],
  ["\u30e6\u30cb\u30b3\u30fc\u30c9?", /contains the character "\?"/],
  ["./some", /contains a slash/],
  ["/", /contains a slash/],
  ["/dev/sdb", /contains a slash/],
  ["foo/", /contains a slash/],
];

for (const [name, why] of INVALID)
  test(`name ${JSON.stringify(name.slice(0, 40))} is refused: ${why.source}`, () => {
    assert.throws(() => {
      validateName(name);
    }, why);
  });

test("every name of allowed characters is valid up to 255 bytes and not beyond", () => {
  const allowed = fc.constantFrom(
    "0",
    "a",
    "Z",
    "#",
    "+",
    ",",
    "-",
    ":",
    "=",
    "@",
    "_",
    "\u00e9",
    "\u263a",
    "\u{1030f}",
  );
  fc.assert(
    fc.property(fc.array(allowed, { minLength: 1, maxLength: 300 }), (characters) => {
      const name = characters.join("");
      const check = (): void => {
        validateName(name);
      };
      if (Buffer.byteLength(name) <= 255) assert.doesNotThrow(check);
      else assert.throws(check, EngineError);
    }),
  );
});

test("any text is either accepted or refused with an EngineError", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      try {
        validateName(name);
      } catch (error) {
        assert.ok(error instanceof EngineError);
      }
    }),
  );
});

test("filesystem sizes are multiples of 512 between 512 MiB and 2^64 - 1 sectors", () => {
  const smallest = sectorsToBytes(MIN_FILESYSTEM_SIZE);
  const largest = 9444732965739290426880n;
  assert.equal(validateFilesystemSize(smallest, "Size"), MIN_FILESYSTEM_SIZE);
  assert.equal(validateFilesystemSize(largest, "Size"), 2n ** 64n - 1n);
  assert.throws(
    () => validateFilesystemSize(smallest - 512n, "Size"),
    /is less than the minimum of 536870912 bytes/,
  );
  assert.throws(() => validateFilesystemSize(smallest + 1n, "Size"), /is not a multiple of 512 bytes/);
  assert.throws(() => validateFilesystemSize(largest + 1n, "Size"), /exceeds the maximum/);
  assert.throws(() => validateFilesystemSize(-512n, "Size"), /is not a multiple/);
});

test("a size that is accepted comes back in sectors", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: MIN_FILESYSTEM_SIZE, max: 2n ** 64n - 1n }), (count) => {
      assert.equal(validateFilesystemSize(count * 512n, "Size"), count);
    }),
  );
});

test("all relative paths are named", () => {
  validatePaths([]);
  validatePaths(["/dev/sda", "/"]);
  assert.throws(() => {
    validatePaths(["a", "/b", "./c"]);
  }, new EngineError("Paths{a, ./c} are not absolute"));
});

test("an integrity reservation has defaults", () => {
  assert.deepEqual(validateIntegrity({}), {
    tagSpec: "512b",
    journalSize: 262144n,
    blockSize: 4096n,
    allocateSuperblock: true,
  });
});

test("an integrity reservation takes what is asked for", () => {
  assert.deepEqual(validateIntegrity({ tagSpec: "0b", journalSize: bytes(0n), allocateSuperblock: false }), {
    tagSpec: "0b",
    journalSize: 0n,
    blockSize: 4096n,
    allocateSuperblock: false,
  });
});

test("a journal that is not a multiple of 4096 bytes is refused, and so is an unknown tag specification", () => {
  assert.throws(
    () => validateIntegrity({ journalSize: bytes(131079n * 1024n) }),
    /is not a multiple of the block size/,
  );
  assert.throws(() => validateIntegrity({ tagSpec: "64b" }), /"64b" is none of 0b, 32b, 512b/);
});

const key = (description: string, slot: number | null = null) => ({ description, slot });
const tpm2 = (slot: number | null = null) => ({ slot, pin: "tpm2", config: "{}" });

test("a key that is asked for twice without a slot is one unlock method, with slots it is two", () => {
  const keys = [key("a"), key("b"), key("a"), key("a", 3), key("a", 4), key("b")];
  assert.deepEqual(validateEncryption({ keys, clevis: [tpm2(), tpm2()] }), {
    keys: [key("a"), key("b"), key("a", 3), key("a", 4)],
    clevis: [tpm2(), tpm2()],
  });
});

test("unlock methods are at most fifteen, counted as they would be bound", () => {
  const many = Array.from({ length: MAX_TOKENS - 1 }, () => tpm2());
  const twice = [key("a"), key("a")];
  assert.equal(validateEncryption({ keys: twice, clevis: many }).keys.length, 1);
  assert.throws(
    () => validateEncryption({ keys: [...twice, key("b")], clevis: many }),
    /16 unlock methods were provided, where an encrypted pool can have 15 at most/,
  );
});

test("token slots are those of LUKS2, each for one method", () => {
  validateEncryption({ keys: [key("a", 0)], clevis: [tpm2(31)] });
  for (const slot of [32, 255, 4294967295])
    for (const request of [
      { keys: [key("a", slot)], clevis: [] },
      { keys: [], clevis: [tpm2(slot)] },
    ])
      assert.throws(() => validateEncryption(request), new RegExp(`Token slot ${slot} does not exist`));
  assert.throws(() => validateEncryption({ keys: [key("a", 3)], clevis: [tpm2(3)] }), /slot 3 already taken/);
});
