import assert from "node:assert/strict";
import { test } from "node:test";
import { metricsText } from "../../../src/tools/openmetrics";

test("a family has its type, unit and help before its samples, and the end is marked", () => {
  const text = metricsText([
    {
      name: "size_bytes",
      unit: "bytes",
      help: "How large",
      samples: [
        { labels: { pool: "a" }, value: 2n ** 70n },
        { labels: { pool: "b", kind: "x" }, value: 0 },
      ],
    },
    { name: "up", help: "Whether", samples: [{ labels: {}, value: 1 }] },
  ]);
  assert.deepEqual(text.split("\n"), [
    "# TYPE size_bytes gauge",
    "# UNIT size_bytes bytes",
    "# HELP size_bytes How large",
    'size_bytes{pool="a"} 1180591620717411303424',
    'size_bytes{pool="b",kind="x"} 0',
    "# TYPE up gauge",
    "# HELP up Whether",
    "up 1",
    "# EOF",
    "",
  ]);
});

test("what has a meaning in labels and help is escaped", () => {
  const labels = { pool: 'a\\b"c\nd' };
  const text = metricsText([{ name: "up", help: 'a\\b"c\nd', samples: [{ labels, value: 1 }] }]);
  assert.ok(text.includes('up{pool="a\\\\b\\"c\\nd"} 1\n'));
  assert.ok(text.includes('# HELP up a\\\\b\\"c\\nd\n'));
});

test("a family without samples is left out", () => {
  assert.equal(metricsText([{ name: "up", help: "Whether", samples: [] }]), "# EOF\n");
});
