import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import { native } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

/** A file that does not exist, and what appends to it. */
function fileOf(context: TestContext): {
  file: string;
  append: (text: string, limit?: bigint) => Promise<boolean>;
} {
  const file = path.join(temporaryFolder(context), "a");
  const append = (text: string, limit = 1000n) =>
    native().appendToFile({ path: file, data: Buffer.from(text), limit });
  return { file, append };
}

test("a file is made, and added to", async (context) => {
  const { file, append } = fileOf(context);
  for (const text of ["one\n", "", "two\n"]) assert.equal(await append(text), true);
  assert.equal(fs.readFileSync(file, "utf8"), "one\ntwo\n");
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

test("a file does not become longer than its limit, but an empty one takes what there is", async (context) => {
  const { file, append } = fileOf(context);
  assert.equal(await append("12345", 3n), true);
  for (const limit of [0n, 3n, 5n]) assert.equal(await append("6", limit), false);
  assert.equal(await append("6", 6n), true);
  assert.equal(await append("7".repeat(1 << 20), (1n << 64n) - 1n), true);
  assert.equal(fs.statSync(file).size, 6 + (1 << 20));
});

test("the bytes are those of the call, whatever becomes of them then", async (context) => {
  const { file } = fileOf(context);
  const data = Buffer.from("before");
  const appended = native().appendToFile({ path: file, data, limit: 100n });
  data.write("after!");
  await appended;
  assert.equal(fs.readFileSync(file, "utf8"), "before");
});

test("what is no file of its own is not written to", async (context) => {
  const { file, append } = fileOf(context);
  const other = `${file}.other`;
  fs.symlinkSync(other, file);
  await assert.rejects(append("text"), failsWith({ code: "ELOOP", syscall: "open", target: file }));
  assert.ok(!fs.existsSync(other));
  fs.rmSync(file);
  fs.mkdirSync(file);
  await assert.rejects(append("text"), failsWith({ code: "EISDIR", syscall: "open", target: file }));
  fs.rmdirSync(file);
  execFileSync("mkfifo", [file]);
  await assert.rejects(append("text"), failsWith({ code: "ENXIO", syscall: "open", target: file }));
  const reader = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  context.after(() => {
    fs.closeSync(reader);
  });
  await assert.rejects(append("text"), failsWith({ code: "EINVAL", syscall: "open", target: file }));
});

test("a folder that is missing is an error with the file's name", async (context) => {
  const file = path.join(temporaryFolder(context), "missing", "a");
  const append = native().appendToFile({ path: file, data: Buffer.from("text"), limit: 100n });
  await assert.rejects(append, failsWith({ code: "ENOENT", syscall: "open", target: file }));
});

test("arguments are checked", async (context) => {
  const { file } = fileOf(context);
  const invalid = (target: string) => failsWith({ code: "EINVAL", syscall: "appendToFile", target });
  const append = (...args: unknown[]): Promise<unknown> => callUntyped(native(), "appendToFile", ...args);
  const whole = { path: file, data: Buffer.from("text"), limit: 100n };
  await assert.rejects(append(), invalid("options"));
  await assert.rejects(append({ ...whole, path: "a\0b" }), invalid("options.path"));
  for (const data of ["text", undefined, Buffer.alloc((1 << 20) + 1)])
    await assert.rejects(append({ ...whole, data }), invalid("options.data"));
  for (const limit of [5, -1n, 1n << 64n, undefined])
    await assert.rejects(append({ ...whole, limit }), invalid("options.limit"));
  assert.ok(!fs.existsSync(file));
});
