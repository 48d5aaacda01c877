import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatMaybeSize, formatSize, freeOf } from "../../../../cli/format/size";

const TIB = 1024n ** 4n;

test("sizes are printed as cli.md §11.1 says", () => {
  const vectors: [bigint, string][] = [
    [0n, "0 B"],
    [1023n, "1023 B"],
    [1024n, "1 KiB"],
    [1025n, "1.00 KiB"],
    [1029n, "1.00 KiB"],
    [1030n, "1.01 KiB"],
    [1152n, "1.12 KiB"],
    [1408n, "1.37 KiB"],
    [1536n, "1.50 KiB"],
    [1048575n, "1024.00 KiB"],
    [1048576n, "1 MiB"],
    [572522496n, "546 MiB"],
    [1331691520n, "1.24 GiB"],
    [106801659904n, "99.47 GiB"],
    [1098939105280n, "1023.47 GiB"],
    [2n * TIB - 33554432n, "2.00 TiB"],
    [590295810358705651712n, "512 EiB"],
    [576460752303423488n, "512 PiB"],
    [-1536n, "-1.50 KiB"],
  ];
  for (const [bytes, text] of vectors) assert.equal(formatSize(bytes), text, `${bytes}`);
});

test("nothing is larger than the largest unit", () => {
  assert.equal(formatSize(1024n ** 8n), "1 YiB");
  assert.equal(formatSize(1024n ** 9n), "1024 YiB");
});

test("what is printed is within half a hundredth of the unit, and exact when it has no decimals", () => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
  fc.assert(
    fc.property(fc.bigInt({ min: -(1n << 90n), max: 1n << 90n }), (bytes) => {
      const [number = "", unit = ""] = formatSize(bytes).split(" ");
      const divisor = 1024n ** BigInt(units.indexOf(unit));
      const hundredths = BigInt(number.replace(".", "")) * (number.includes(".") ? 1n : 100n);
      const error = hundredths * divisor - 100n * bytes;
      assert.ok((error < 0n ? -error : error) * 2n <= divisor);
      if (!number.includes(".")) assert.equal(error, 0n);
    }),
  );
});

test("what is not known is ???", () => {
  assert.equal(formatMaybeSize(undefined), "???");
  assert.equal(freeOf(10n, undefined), undefined);
  assert.equal(freeOf(undefined, 10n), undefined);
  assert.equal(freeOf(10n, 12n), -2n);
});
