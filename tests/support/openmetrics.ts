/**
 * Reads OpenMetrics text as strictly as version 1.0.0 of its specification has it, for gauges and counters without
 * timestamps and exemplars: the grammar, and what the prose demands beyond it.
 */
import assert from "node:assert/strict";

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const TEXT = String.raw`(?:[^"\\\n]|\\["\\n])*`;
const LABEL = `[a-zA-Z_][a-zA-Z0-9_]*="${TEXT}"`;
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`;
const DESCRIPTOR = new RegExp(`^# (TYPE|UNIT|HELP) (${NAME}) (${TEXT})$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)?\\})? (${NUMBER})$`);

/** A counter's samples have a suffix. */
const SUFFIX: Readonly<Record<string, string>> = { gauge: "", counter: "_total" };

interface Family {
  readonly name: string;
  readonly described: Map<string, string>;
  samples: number;
}

function describe(family: Family, what: string, text: string, line: string): void {
  assert.equal(family.samples, 0, `after the samples: ${line}`);
  assert.ok(!family.described.has(what), `twice: ${line}`);
  if (what === "TYPE") assert.ok(Object.hasOwn(SUFFIX, text), `unknown type: ${line}`);
  if (what === "UNIT") assert.ok(family.name.endsWith(`_${text}`), `the name has not the unit: ${line}`);
  family.described.set(what, text);
}

/** The values of all samples by name and labels. Throws AssertionError for what is no such text. */
export function openMetricsSamples(text: string): Map<string, string> {
  const lines = text.split("\n");
  assert.deepEqual(lines.splice(-2), ["# EOF", ""], "the end of the text");
  const families = new Map<string, Family>();
  const found = new Map<string, string>();
  let current: Family = { name: "", described: new Map<string, string>(), samples: 0 };
  for (const line of lines) {
    const [, what, of = "", described = ""] = DESCRIPTOR.exec(line) ?? [];
    if (what !== undefined) {
      if (of !== current.name) {
        assert.ok(!families.has(of), `a family in two places: ${line}`);
        current = { name: of, described: new Map<string, string>(), samples: 0 };
        families.set(of, current);
      }
      describe(current, what, described, line);
      continue;
    }
    const [, name, labels = "", value = ""] = SAMPLE.exec(line) ?? [];
    const type = current.described.get("TYPE") ?? "";
    assert.equal(name, `${current.name}${SUFFIX[type] ?? ""}`, `not of the family before it: ${line}`);
    if (type === "counter") assert.doesNotMatch(value, /^-/, line);
    const names = labels.match(/[a-zA-Z_][a-zA-Z0-9_]*(?==")/g) ?? [];
    assert.equal(new Set(names).size, names.length, `a label twice: ${line}`);
    const key = labels === "" ? name : `${name}{${labels}}`;
    assert.ok(!found.has(key), `twice: ${line}`);
    found.set(key, value);
    current.samples += 1;
  }
  return found;
}
