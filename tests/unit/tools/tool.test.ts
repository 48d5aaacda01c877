import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/tools/command-line";
import { runTool, ToolError, type Tool } from "../../../src/tools/tool";

async function ran(run: Tool["run"]): Promise<{ code: number; stdout: string; stderr: string }> {
  const result = { code: -1, stdout: "", stderr: "" };
  const output = {
    out: (text: string) => void (result.stdout += text),
    err: (text: string) => void (result.stderr += text),
  };
  result.code = await runTool({ name: "tool", help: "How to\n", failurePrefix: "Error: ", run }, [], output);
  return result;
}

test("how a program ends", async () => {
  assert.deepEqual(await ran(() => Promise.resolve(null)), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(await ran(() => Promise.resolve("help")), { code: 0, stdout: "How to\n", stderr: "" });
  assert.deepEqual(await ran(() => Promise.resolve("version")), {
    code: 0,
    stdout: "tool 3.9.2\n",
    stderr: "",
  });
  assert.deepEqual(await ran(() => Promise.reject(new UsageError("what?"))), {
    code: 2,
    stdout: "",
    stderr: "error: what?\n\nFor more information, try '--help'.\n",
  });
  assert.deepEqual(await ran(() => Promise.reject(new ToolError("no such thing"))), {
    code: 1,
    stdout: "",
    stderr: "Error: no such thing\n",
  });
  const { code, stderr } = await ran(() => Promise.reject(new TypeError("x is not a function")));
  assert.equal(code, 101);
  assert.match(stderr, /^A defect of tool: TypeError: x is not a function\n +at /);
});
