import assert from "node:assert/strict";
import { test } from "node:test";
import { tableText, type Column } from "../../../../cli/format/table";

const COLUMNS: Column[] = [
  { title: "Name", align: "left" },
  { title: "Size", align: "right" },
  { title: "X", align: "left" },
];

test("columns are as wide as their widest cell, parted by three blanks, and the last one is padded too", async () => {
  const text = await tableText(COLUMNS, [
    ["a", "100 GiB", ""],
    ["漢字x", "1", "yes"],
  ]);
  assert.equal(text, "Name       Size   X  \na       100 GiB      \n漢字x         1   yes\n");
});

test("a table without rows is its header", async () => {
  assert.equal(await tableText(COLUMNS, []), "Name   Size   X\n");
});
