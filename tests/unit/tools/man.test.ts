/** The manual pages and the programs know the same options. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { FIXTURES } from "../disk/vectors";
import { runProgram } from "./run";

const ROOT = path.resolve(FIXTURES, "../..");

function programs(): string[] {
  const { bin } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    bin: Record<string, string>;
  };
  return Object.keys(bin).filter((name) => bin[name] === `dist/bin/${name}.js`);
}

test("every auxiliary program has a page, and every page a program", () => {
  const pages = readdirSync(path.join(ROOT, "man")).filter(
    (file) => /^stratis.*-/.test(file) && file !== "stratisd-min.8",
  );
  assert.deepEqual(
    pages.sort(),
    programs()
      .map((name) => `${name}.8`)
      .sort(),
  );
});

const optionsIn = (text: string): string[] => [...new Set(text.match(/--[a-z][a-z-]*/g))].sort();

for (const name of programs())
  test(`the page of ${name}`, async () => {
    const page = readFileSync(path.join(ROOT, "man", `${name}.8`), "utf8").replaceAll("\\-", "-");
    assert.ok(page.startsWith(`.TH ${name.toUpperCase()} 8 `));
    assert.ok(page.includes(`\n.SH NAME\n${name} - `));
    const { stdout } = await runProgram(name, ["--help"]);
    const ownOptions = page.slice(page.indexOf(".SH OPTIONS"), page.indexOf(".SH EXIT STATUS"));
    assert.deepEqual(optionsIn(ownOptions), optionsIn(stdout));
  });
