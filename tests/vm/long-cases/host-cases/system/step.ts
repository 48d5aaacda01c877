/** Steps that follow each other on a user's machine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keepEvidence } from "../../../harness/evidence";
import { machine } from "../../../harness/user-machine";

let failed: string | null = null;

/** Each step needs those before it. Of the first that fails all is kept that the guest can tell. */
export function step(name: string, work: () => Promise<void>): void {
  void test(name, async () => {
    if (failed !== null) assert.fail(`not tried: "${failed}" failed`);
    try {
      await work();
    } catch (error) {
      failed = name;
      process.stdout.write(`# kept in ${await keepEvidence(machine(), "system")}\n`);
      throw error;
    }
  });
}
