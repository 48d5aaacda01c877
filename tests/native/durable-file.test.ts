import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { native } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

test("a file is replaced as a whole, and its temporary file is gone", async (context) => {
  const folder = temporaryFolder(context);
  const [file, temporary] = [path.join(folder, "a.json"), path.join(folder, "a.temp")];
  for (const content of ["", "a longer one", "short", "x".repeat(1 << 20)]) {
    await native().replaceFile({ path: file, temporary, data: Buffer.from(content) });
    assert.equal(fs.readFileSync(file, "utf8"), content);
    assert.deepEqual(fs.readdirSync(folder), ["a.json"]);
  }
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

test("the bytes are those of the call, whatever becomes of them then", async (context) => {
  const folder = temporaryFolder(context);
  const file = path.join(folder, "a");
  const data = Buffer.from("before");
  const replaced = native().replaceFile({ path: file, temporary: `${file}.temp`, data });
  data.write("after!");
  await replaced;
  assert.equal(fs.readFileSync(file, "utf8"), "before");
});

test("what an interrupted write has left is written over", async (context) => {
  const folder = temporaryFolder(context);
  const [file, temporary] = [path.join(folder, "a"), path.join(folder, "a.temp")];
  fs.writeFileSync(temporary, "much longer than what comes");
  await native().replaceFile({ path: file, temporary, data: Buffer.from("new") });
  assert.equal(fs.readFileSync(file, "utf8"), "new");
});

test("a file that can't be replaced is as it was, without a temporary file beside it", async (context) => {
  const folder = temporaryFolder(context);
  const [file, temporary] = [path.join(folder, "a"), path.join(folder, "a.temp")];
  fs.mkdirSync(file);
  await assert.rejects(
    native().replaceFile({ path: file, temporary, data: Buffer.from("new") }),
    failsWith({ code: "EISDIR", syscall: "rename", target: file }),
  );
  assert.deepEqual(fs.readdirSync(folder), ["a"]);

  const missing = path.join(folder, "missing", "a");
  await assert.rejects(
    native().replaceFile({ path: missing, temporary: `${missing}.temp`, data: Buffer.from("new") }),
    failsWith({ code: "ENOENT", syscall: "open", target: `${missing}.temp` }),
  );
});

test("a link in the place of the temporary file is not followed", async (context) => {
  const folder = temporaryFolder(context);
  const [file, temporary] = [path.join(folder, "a"), path.join(folder, "a.temp")];
  const other = path.join(folder, "other");
  fs.writeFileSync(other, "of somebody else");
  fs.symlinkSync(other, temporary);
  await assert.rejects(
    native().replaceFile({ path: file, temporary, data: Buffer.from("new") }),
    failsWith({ code: "ELOOP", syscall: "open", target: temporary }),
  );
  assert.equal(fs.readFileSync(other, "utf8"), "of somebody else");
});

test("a file is removed; one that is not there, and a folder, are errors", async (context) => {
  const folder = temporaryFolder(context);
  const file = path.join(folder, "a");
  fs.writeFileSync(file, "");
  await native().removeFile(file);
  assert.deepEqual(fs.readdirSync(folder), []);
  await assert.rejects(
    native().removeFile(file),
    failsWith({ code: "ENOENT", syscall: "unlink", target: file }),
  );
  await assert.rejects(native().removeFile(folder), failsWith({ code: "EISDIR", target: folder }));
});

test("arguments are checked", async () => {
  const invalid = (target: string) => failsWith({ code: "EINVAL", syscall: "replaceFile", target });
  const replace = (...args: unknown[]): Promise<unknown> => callUntyped(native(), "replaceFile", ...args);
  const data = Buffer.from("x");
  await assert.rejects(replace(), invalid("options"));
  await assert.rejects(replace({ temporary: "/a", data }), invalid("options.path"));
  await assert.rejects(replace({ path: "/a\0b", temporary: "/a", data }), invalid("options.path"));
  await assert.rejects(replace({ path: "/a", data }), invalid("options.temporary"));
  await assert.rejects(replace({ path: "/a", temporary: "/b", data: "x" }), invalid("options.data"));
  const large = Buffer.alloc((1 << 20) + 1);
  await assert.rejects(replace({ path: "/a", temporary: "/b", data: large }), invalid("options.data"));
  await assert.rejects(
    callUntyped(native(), "removeFile", 7),
    failsWith({ code: "EINVAL", syscall: "removeFile", target: "path" }),
  );
});
