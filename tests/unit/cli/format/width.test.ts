import assert from "node:assert/strict";
import { test } from "node:test";
import { widthsOf } from "../../../../cli/format/width";

test("widths in terminal cells are those of cli.md §11.2", async () => {
  const vectors: [string, number][] = [
    ["", 0],
    ["data", 4],
    ["漢字", 4],
    ["\u00e9", 1],
    ["e\u0301", 1],
    ["한글", 4],
    ["\u1112\u1161\u11ab", 2],
    ["\uff71", 1],
    ["\u{1f600}", 2],
    ["\u263a", 1],
    ["\u263a\ufe0f", 2],
    ["\u{1f1e8}\u{1f1ff}", 2],
    ["\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", 2],
    ["\u200b", 0],
    ["a\u200bb", 2],
    // Ambiguous ones are narrow.
    ["\u00a7\u03b1", 2],
    ["\uff21", 2],
  ];
  const widthOf = await widthsOf(vectors.map(([text]) => text));
  for (const [text, width] of vectors) assert.equal(widthOf(text), width, JSON.stringify(text));
});

test("ASCII alone has its length", async () => {
  const widthOf = await widthsOf(["data", "/dev/sdb"]);
  assert.equal(widthOf("/dev/sdb"), 8);
});
