import assert from "node:assert/strict";
import { test } from "node:test";
import type { CreateFilesystemRequest } from "../../../src/engine/engine";
import { EngineError } from "../../../src/engine/errors";
import { validateFilesystemRequests, type ValidatedFilesystemRequest } from "../../../src/engine/requests";
import { DEFAULT_FILESYSTEM_SIZE, MIN_FILESYSTEM_SIZE } from "../../../src/engine/validation";
import { sectors, sectorsToBytes, type Sectors } from "../../../src/units";

const TIB = 1n << 40n;

const request = (
  name: string,
  size: bigint | null = null,
  sizeLimit: bigint | null = null,
): CreateFilesystemRequest => ({ name, size, sizeLimit });

const validate = (
  requests: CreateFilesystemRequest[],
  existing: { name: string; size: Sectors }[] = [],
  limit = 10n,
): ValidatedFilesystemRequest[] => validateFilesystemRequests(requests, existing, limit, () => undefined);

const existing = (
  name: string,
  size: Sectors = DEFAULT_FILESYSTEM_SIZE,
): { name: string; size: Sectors } => ({
  name,
  size,
});

test("a size that is not given is 1 TiB, a limit that is not given is none", () => {
  assert.deepEqual(validate([request("a")]), [{ name: "a", size: sectors(TIB / 512n), sizeLimit: null }]);
});

test("sizes and limits come back in sectors", () => {
  assert.deepEqual(validate([request("a", TIB, 2n * TIB)]), [
    { name: "a", size: sectors(TIB / 512n), sizeLimit: sectors((2n * TIB) / 512n) },
  ]);
});

test("a limit may equal the size but not be below it", () => {
  assert.equal(validate([request("a", TIB, TIB)]).length, 1);
  assert.throws(() => validate([request("a", TIB, TIB - 512n)]), /smaller than its size/);
  assert.throws(() => validate([request("a", null, TIB / 2n)]), /smaller than its size/);
});

test("of requests for one name the last one counts", () => {
  assert.deepEqual(validate([request("a", TIB), request("b"), request("a", 2n * TIB)]), [
    { name: "a", size: sectors((2n * TIB) / 512n), sizeLimit: null },
    { name: "b", size: DEFAULT_FILESYSTEM_SIZE, sizeLimit: null },
  ]);
});

test("what exists with the same size is left out; with another size it is refused", () => {
  assert.deepEqual(
    validate([request("a"), request("b")], [existing("a")]).map(({ name }) => name),
    ["b"],
  );
  assert.throws(
    () => validate([request("a", 2n * TIB)], [existing("a")]),
    /Size 1099511627776 bytes of filesystem a, which exists already, is not the requested size of 2199023255552 bytes/,
  );
});

test("the limit of filesystems counts requests for what exists too", () => {
  assert.equal(validate([request("a")], [existing("b")], 2n).length, 1);
  assert.throws(() => validate([request("a")], [existing("a")], 1n), /pool limit of 1 filesystems/);
});

test("the limit of filesystems is looked at before sizes, sizes before names", () => {
  assert.throws(() => validate([request("a b", 512n)], [], 0n), /pool limit of 0/);
  assert.throws(() => validate([request("a b", 512n)]), /Filesystem size of 512 bytes is less than/);
  assert.throws(() => validate([request("a b")]), /Provided name "a b"/);
});

test("the room that is asked for is that of new filesystems only", () => {
  const asked: bigint[] = [];
  const small = sectorsToBytes(MIN_FILESYSTEM_SIZE);
  validateFilesystemRequests(
    [request("a"), request("b", small), request("c", small)],
    [existing("a")],
    10n,
    (total) => asked.push(total),
  );
  assert.deepEqual(asked, [2n * MIN_FILESYSTEM_SIZE]);
});

test("no room refuses the whole batch", () => {
  assert.throws(
    () =>
      validateFilesystemRequests([request("a")], [], 10n, () => {
        throw new EngineError("no room");
      }),
    /no room/,
  );
});

test("a limit below the size is refused, unless there is nothing to make", () => {
  assert.throws(() => validate([request("a", null, TIB / 2n)]), /Size limit of .* is smaller than its size/);
  assert.deepEqual(validate([request("a", null, TIB / 2n)], [existing("a")]), []);
});
