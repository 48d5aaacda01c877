import assert from "node:assert/strict";
import { test } from "node:test";
import { isWanted, levelFilter, parseFilter, type LogFilter } from "../../../src/daemon/log-filter";
import { formatLine } from "../../../src/daemon/log-line";
import { chooseFilter } from "../../../src/daemon/logging";

const TIME = new Date("2026-01-02T03:04:05.678Z");

test("a line has time, level, target and message", () => {
  assert.equal(
    formatLine(TIME, "info", "stratisd::stratis::run", "hello", false),
    "[2026-01-02T03:04:05Z INFO  stratisd::stratis::run] hello",
  );
});

test("further lines of a message are indented", () => {
  assert.equal(formatLine(TIME, "error", "t", "a\nb", false), "[2026-01-02T03:04:05Z ERROR t] a\n    b");
});

/** Parses a specification that is expected to hold `invalid` parts. */
function filterOf(spec: string, invalid: string[] = []): LogFilter {
  const warnings: string[] = [];
  const filter = parseFilter(spec, (text) => warnings.push(text));
  assert.deepEqual(
    warnings,
    invalid.map((part) => `warning: invalid logging spec '${part}', ignoring it`),
  );
  return filter;
}

test("--log-level is about this program's own messages", () => {
  const filter = levelFilter("info");
  assert.equal(isWanted(filter, "info", "stratisd::engine", ""), true);
  assert.equal(isWanted(filter, "debug", "stratisd::engine", ""), false);
  assert.equal(isWanted(filter, "error", "devicemapper", ""), false);
});

test("the longest prefix decides, and without a match nothing is logged", () => {
  const filter = filterOf("stratisd=warn, stratisd::engine = debug ,,");
  assert.equal(isWanted(filter, "debug", "stratisd::engine::pool", ""), false, "the name has a blank");
  const exact = filterOf("stratisd=warn,stratisd::engine=debug");
  assert.equal(isWanted(exact, "debug", "stratisd::engine::pool", ""), true);
  assert.equal(isWanted(exact, "info", "stratisd::stratis::run", ""), false);
  assert.equal(isWanted(exact, "error", "zbus", ""), false);
});

test("a bare level is for all, a bare name and an empty level for everything of it", () => {
  assert.equal(isWanted(filterOf("INFO"), "info", "zbus", ""), true);
  assert.equal(isWanted(filterOf("zbus"), "trace", "zbus::x", ""), true);
  assert.equal(isWanted(filterOf("zbus="), "trace", "zbus", ""), true);
  assert.equal(isWanted(filterOf("info,stratisd=off"), "error", "stratisd", ""), false);
});

test("of two directives for one target the later counts", () => {
  assert.equal(isWanted(filterOf("stratisd=trace,stratisd=error"), "warn", "stratisd", ""), false);
});

test("text after a slash filters messages", () => {
  const filter = filterOf("info/pool.*set up");
  assert.equal(isWanted(filter, "info", "x", "the pool is set up"), true);
  assert.equal(isWanted(filter, "info", "x", "the pool is down"), false);
});

test("what makes no sense is named and left out", () => {
  assert.equal(isWanted(filterOf("stratisd=loud,info", ["stratisd=loud"]), "info", "x", ""), true);
  assert.equal(isWanted(filterOf("a=b=c,info", ["a=b=c"]), "info", "x", ""), true);
  assert.equal(isWanted(filterOf("info/a/b", ["info/a/b"]), "error", "x", ""), false);
  assert.equal(isWanted(filterOf("info/(", ["("]), "info", "x", "y"), true);
});

test("the option comes before the environment, and errors are logged without either", () => {
  assert.equal(isWanted(chooseFilter("warn", { RUST_LOG: "trace" }), "info", "stratisd", ""), false);
  assert.equal(isWanted(chooseFilter(null, { RUST_LOG: "trace" }), "trace", "stratisd", ""), true);
  assert.equal(isWanted(chooseFilter(null, {}), "error", "anything", ""), true);
  assert.equal(isWanted(chooseFilter(null, {}), "warn", "anything", ""), false);
});
