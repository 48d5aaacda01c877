import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { illFormedWord, wordsComplaint } from "../../../cli/words";

const COMMAND = join(__dirname, "../../../cli/stratis.js");

test("a word that is not UTF-8 is found among those that are", () => {
  const commandLine = (text: string): Buffer => Buffer.from(text, "latin1");
  assert.equal(illFormedWord(Buffer.from("node\0漢字\0\ufffd\0\0")), null);
  assert.equal(illFormedWord(commandLine("node\0fs\0a\xffb\0c\0")), "a\ufffdb");
  assert.equal(illFormedWord(Buffer.alloc(0)), null);
  // A replacement character that was typed is one.
  assert.equal(wordsComplaint(["\ufffd"]), null);
});

test("such a word is refused before anything is done", () => {
  const script = 'exec "$1" "$2" fs create data "$(printf "a\\377b")"';
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script, "sh", process.execPath, COMMAND], {
    encoding: "utf8",
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent/bus" },
  });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.equal(stderr, "stratis: error: argument is not valid UTF-8: 'a\ufffdb'\n");
});
