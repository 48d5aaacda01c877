/** What the package's JavaScript is made by. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { requiring } from "../../../packaging/command";
import { copyrightText, folderOf, holdersIn } from "../../../packaging/copyright";
import { packageRoot } from "../../../src/native";

test("load() of a module becomes require() of its file", () => {
  const text = 'const help = (): Help => load("./parser/help") as Help;';
  const file = JSON.stringify(path.join(packageRoot, "cli/parser/help.ts"));
  assert.equal(requiring(text, "main.ts"), `const help = (): Help => require(${file}) as Help;`);
});

test("a load() that can't be followed fails the build", () => {
  assert.throws(
    () => requiring('load("./no/such/module")', "main.ts"),
    /no\/such\/module\.ts, which does not exist/,
  );
  assert.throws(() => requiring("load(name)", "main.ts"), /main\.ts has a load\(\)/);
});

test("the package that a file belongs to", () => {
  assert.equal(folderOf("src/units.ts"), null);
  assert.equal(folderOf("node_modules/winston/lib/winston.js"), "node_modules/winston");
  assert.equal(
    folderOf("node_modules/logform/node_modules/@colors/colors/safe.js"),
    "node_modules/logform/node_modules/@colors/colors",
  );
});

test("the names of those who hold rights", () => {
  const text =
    "MIT License\n\nCopyright (c) 2020 A B <a@b>\n  (c) 2019 C\nThe above copyright notice and this\n";
  assert.deepEqual(holdersIn(text), ["2020 A B <a@b>", "2019 C"]);
});

test("each package once, with its licence's text in full", () => {
  const files = ["node_modules/winston/a.js", "cli/main.ts", "node_modules/winston/b.js"];
  const text = copyrightText(packageRoot, "Files: *\n", files);
  assert.equal(text.match(/^Files: /gm)?.length, 3, "ours, winston, the addon's headers");
  assert.match(
    text,
    /^Files: node_modules\/winston\/\*\nCopyright:\n 2010 Charlie Robbins\nLicense: MIT-winston\n/m,
  );
  assert.match(text, /^ \.\n The above copyright notice and this permission notice shall be included/m);
  assert.doesNotMatch(text.slice("Files: *\n\n".length), /\n\n(?!Files: )/);
});

test("a package without a licence fails the build", () => {
  assert.throws(
    () => copyrightText(packageRoot, "", ["node_modules/no-such-package/a.js"]),
    /no-such-package/,
  );
});
