/** Options beyond stratis-cli's leave its grammar, its abbreviations and its errors as they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { extensions } from "../../../../cli/parser/extensions";
import type { Command } from "../../../../cli/parser/grammar";
import { optionsOf, parse, ParseError } from "../../../../cli/parser/parse";
import { rootCommand } from "../../../../cli/parser/root";

function* commandsBelow(path: readonly Command[]): Generator<readonly Command[]> {
  yield path;
  for (const child of path.at(-1)?.commands ?? []) yield* commandsBelow([...path, child]);
}

const commands = [...commandsBelow([rootCommand])];

test("every command that does something says what it shows, and can show it as JSON", () => {
  for (const path of commands) {
    const command = path.at(-1);
    if (command?.action === undefined) continue;
    assert.ok(command.shows !== undefined, command.name);
    assert.ok(
      extensions(command).some(({ name }) => name === "--json"),
      command.name,
    );
  }
});

test("no beginning of an extension is taken for it, nor makes another option ambiguous", () => {
  for (const path of commands) {
    const command = path.at(-1);
    if (command === undefined) continue;
    const words = path.slice(1).map(({ name }) => name);
    const known = optionsOf(command);
    for (const option of known.filter(({ extension }) => extension === true)) {
      for (let length = 3; length < option.name.length; length++) {
        const beginning = option.name.slice(0, length);
        const others = known.filter(
          ({ name, extension }) => extension !== true && name.startsWith(beginning),
        );
        assert.throws(
          () => parse(rootCommand, [...words, beginning, "--no-such-option"]),
          (error: unknown) => {
            assert.ok(error instanceof ParseError);
            assert.ok(!error.message.includes(`${option.name} `), error.message);
            if (others.length < 2) assert.doesNotMatch(error.message, /ambiguous/);
            return true;
          },
        );
      }
    }
  }
});

test("an extension is an option of its command in full", () => {
  assert.ok(parse(rootCommand, ["pool", "destroy", "p", "--dry-run", "--json"]).values.flag("--dry-run"));
  assert.ok(parse(rootCommand, ["fs", "--json"]).values.flag("--json"));
  assert.throws(() => parse(rootCommand, ["--json", "pool"]), /unrecognized arguments: --json/);
  assert.throws(
    () => parse(rootCommand, ["pool", "rename", "a", "b", "--yes"]),
    /unrecognized arguments: --yes/,
  );
  const { values } = parse(rootCommand, ["fs", "snapshot", "p", "o", "a", "-n", "b", "c", "--also=d"]);
  assert.deepEqual(values.texts("--also"), ["b", "c", "d"]);
});
