/** What errors ask for, and whether what failed was taken back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BestEffortError,
  ChainedError,
  EngineError,
  levelOf,
  RollbackError,
  UndoFailedError,
} from "../../../src/engine/errors";
import { wasTakenBack } from "../../../src/engine/real/taken-back";
import { withUndo } from "../../../src/engine/undo";
import type { NativeError } from "../../../src/native";

const rollback = (level: "no_ipc_requests" | "no_pool_changes", cause: unknown = "x"): RollbackError =>
  new RollbackError(cause, "y", level);

test("the level that an error asks for is the strictest that is in it anywhere", () => {
  assert.equal(levelOf("text"), "fully_operational");
  assert.equal(levelOf(new ChainedError("a", new EngineError("b"))), "fully_operational");
  assert.equal(
    levelOf(new ChainedError("a", new ChainedError("b", rollback("no_ipc_requests")))),
    "no_ipc_requests",
  );
  assert.equal(levelOf(rollback("no_ipc_requests", rollback("no_pool_changes"))), "no_pool_changes");
  assert.equal(
    levelOf(new BestEffortError("a", ["b", rollback("no_ipc_requests"), rollback("no_pool_changes")])),
    "no_pool_changes",
  );
});

const ofKernel = (undoErrors?: string[]): NativeError =>
  Object.assign(new Error("refused"), {
    ...{ code: "EIO", errno: 5, syscall: "DM_TABLE_LOAD", target: "d" },
    ...(undoErrors === undefined ? {} : { undoErrors }),
  });

test("what could not be undone is told apart, wherever it comes from", async () => {
  assert.equal(wasTakenBack(ofKernel()), true);
  assert.equal(wasTakenBack(new ChainedError("a", ofKernel([]))), true);
  assert.equal(wasTakenBack(new ChainedError("a", ofKernel(["not undone"]))), false);
  const undone: string[] = [];
  const failing = (fails: boolean): Promise<unknown> =>
    withUndo((undo) => {
      undo.push("undo the first", () => Promise.resolve(void undone.push("first")));
      undo.push("undo the second", () => (fails ? Promise.reject(new Error("no")) : Promise.resolve()));
      return Promise.reject(new EngineError("failed"));
    });
  await assert.rejects(failing(false), (error) => wasTakenBack(error));
  await assert.rejects(failing(true), (error) => {
    assert.ok(error instanceof UndoFailedError);
    assert.match(error.message, /^Rollback failed; causal_error: failed; could not undo the second: no$/);
    return !wasTakenBack(error);
  });
  assert.deepEqual(undone, ["first", "first"]);
});
