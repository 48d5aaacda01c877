/** The manual pages: they say everything that the grammar has, and are in order for the tools that read them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ALERT_CODES } from "../../../../cli/parser/pool";
import * as fields from "../../../../cli/parser/fields";
import type { Command } from "../../../../cli/parser/grammar";
import { optionsOf } from "../../../../cli/parser/parse";
import { rootCommand } from "../../../../cli/parser/root";
import { COMMAND_NOTES } from "../../../../cli/man/notes";
import { escaped, prose } from "../../../../cli/man/roff";
import { helpOptions } from "../../../../cli/man/stratisd-page";
import { manualPages } from "../../../../cli/man/write-pages";
import { helpText } from "../../../../src/daemon/options";

const HELP = helpText("stratisd");
const pages = manualPages();

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "stratis-man-"));
  for (const [name, content] of Object.entries(pages)) writeFileSync(join(directory, name), content);
});
after(() => {
  rmSync(directory, { recursive: true });
});

/** The text of a page, as it is read. */
const plain = (page: string): string =>
  page
    .replace(/\\f[BIR]/g, "")
    .replaceAll("\\-", "-")
    .replaceAll("\\e", "\\")
    .replaceAll("\\&", "");

function* commandsBelow(path: readonly Command[]): Generator<readonly Command[]> {
  yield path;
  for (const child of path.at(-1)?.commands ?? []) yield* commandsBelow([...path, child]);
}

test("every command that can be run is a term of the page, and all its options follow", () => {
  const text = plain(pages["stratis.8"]);
  for (const path of commandsBelow([rootCommand])) {
    const command = path.at(-1);
    if (command?.action === undefined) continue;
    const words = path.map(({ name }) => name).join(" ");
    const start = new RegExp(`^\\.TP\\n${words}(?=$| [[\\w]*[\\]. ]?)`, "m").exec(text)?.index;
    assert.ok(start !== undefined, words);
    const entry = text.slice(start, text.indexOf("\n.TP\nstratis ", start + 5));
    for (const { name, hidden } of optionsOf(command))
      if (hidden !== true && name !== "--help") assert.ok(entry.includes(name), `${words} ${name}`);
    for (const alias of command.aliases ?? []) assert.ok(entry.includes(alias), `${words}: ${alias}`);
  }
});

test("the page has the global options, the alerts, and every field of every list", () => {
  const text = plain(pages["stratis.8"]);
  for (const { name, hidden } of optionsOf(rootCommand))
    if (hidden !== true) assert.ok(text.includes(name), name);
  for (const code of ALERT_CODES) assert.ok(text.includes(`.TP\n${code}\n`), code);
  for (const table of Object.values(fields)) {
    assert.ok(text.includes(`\n${table.key}\n`), table.key);
    for (const name of Object.keys(table.fields)) assert.ok(text.includes(`.TP\n${name}\n`), name);
  }
});

test("notes are on commands that there are", () => {
  const known = [...commandsBelow([rootCommand])].map((path) =>
    path
      .slice(1)
      .map(({ name }) => name)
      .join(" "),
  );
  for (const words of Object.keys(COMMAND_NOTES)) assert.ok(known.includes(words), words);
});

test("the daemon's page has every option of its help", () => {
  const options = helpOptions(HELP);
  assert.equal(options.length, (HELP.match(/^ +(-\w, )?--/gm) ?? []).length);
  const text = plain(pages["stratisd.8"]);
  for (const { flags, text: help } of options) {
    assert.ok(text.includes(`.TP\n${flags}\n`), flags);
    assert.ok(help.length >= 10, flags);
  }
});

test("what roff takes for markup is printed", () => {
  assert.equal(escaped("a-b\\c\n.d"), "a\\-b\\ec\n\\&.d");
  assert.equal(prose("`--name` of *this*"), "\\fB\\-\\-name\\fR of \\fIthis\\fR");
  assert.equal(prose("One. 'Two'."), "One.\n\\&'Two'.");
  for (const line of prose("word ".repeat(60)).split("\n")) assert.ok(line.length <= 80);
});

test("the tools that check manual pages have no complaint", () => {
  const tools: [string, string[]][] = [
    ["mandoc", ["-Tlint"]],
    ["man", ["--warnings", "--local-file", "--encoding=UTF-8", "-Tutf8", "-Z"]],
  ];
  for (const [program, options] of tools)
    for (const name of Object.keys(pages)) {
      const { error, stdout, stderr } = spawnSync(program, [...options, join(directory, name)], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", MANWIDTH: "80" },
      });
      // Not installed: nothing can be asked.
      if (error !== undefined) continue;
      assert.equal(stderr, "", `${program} ${name}`);
      if (program === "mandoc") assert.equal(stdout, "", name);
      else assert.match(stdout, /SEE|stratis/);
    }
});
