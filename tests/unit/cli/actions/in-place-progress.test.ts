import assert from "node:assert/strict";
import { test } from "node:test";
import { progressOf, progressText } from "../../../../cli/actions/in-place-progress";
import { ManagedObject, ManagedObjects } from "../../../../cli/managed-objects";
import { OPERATION, POOL } from "../../../../cli/names";

const operation = (done: bigint, total: bigint, seconds: bigint | null, kind = "encrypt"): ManagedObject =>
  new ManagedObject(
    "/2",
    OPERATION,
    new Map<string, unknown>([
      ["Pool", "/0"],
      ["Kind", kind],
      ["DoneBytes", done],
      ["TotalBytes", total],
      ["RemainingSeconds", [seconds !== null, seconds ?? 0n]],
    ]),
  );
const text = (...of: Parameters<typeof operation>): string => {
  const progress = progressOf(operation(...of));
  return `${progress.what}: ${progressText(progress)}`;
};

test("how far an operation in place is", () => {
  assert.equal(text(0n, 0n, null), "Encryption: beginning");
  assert.equal(text(1n, 3n, null, "reencrypt"), "Reencryption: 33 %");
  assert.equal(text(5n, 8n, 40n, "decrypt"), "Decryption: 62 %, about 40 s left");
  assert.equal(text(5n, 8n, 95n), "Encryption: 62 %, about 2 min left");
  assert.equal(text(5n, 8n, 7500n), "Encryption: 62 %, about 2 h 5 min left");
});

test("the operation on a pool is found by its path", () => {
  const objects = new ManagedObjects({
    "/0": { [POOL]: {} },
    "/1": { [POOL]: {} },
    "/2": { [OPERATION]: { Pool: "/0", Kind: "encrypt" } },
  });
  const on = (path: string): string | undefined =>
    objects.operationOn(new ManagedObject(path, POOL, new Map()))?.path;
  assert.deepEqual([on("/0"), on("/1")], ["/2", undefined]);
});
