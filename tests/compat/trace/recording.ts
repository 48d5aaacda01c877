/** The recorded traces of stratisd 3.9.2 (tests/fixtures/README.md). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../src/native";
import type { Event, Operation } from "./events";

/** "sim": with its simulator; "real": on three disks. */
export type Recorded = "sim" | "real";

const fileOf = (recorded: Recorded): string => join(packageRoot, `tests/fixtures/dbus-trace-${recorded}.txt`);
const PATH = "(?<path>/[\\w/]*)";

/** Lists and dictionaries of names and numbers, as Python writes them. */
const fromPython = (text: string): unknown => JSON.parse(text.replaceAll("'", '"'));

type Groups = Readonly<Record<string, string>>;

const FORMS: readonly [RegExp, (groups: Groups) => Event][] = [
  [
    new RegExp(`^ call {2}${PATH} (?<interface>\\S+) (?<member>\\S+)$`),
    ({ path = "", interface: name = "", member = "" }) => ({ call: `${name}.${member}`, path }),
  ],
  [
    new RegExp(`^ signal InterfacesAdded ${PATH} (?<interfaces>.*)$`),
    ({ path = "", interfaces = "" }) => ({
      added: path,
      interfaces: fromPython(interfaces) as Record<string, number>,
    }),
  ],
  [
    new RegExp(`^ signal InterfacesRemoved ${PATH} (?<interfaces>.*)$`),
    ({ path = "", interfaces = "" }) => ({ removed: path, interfaces: fromPython(interfaces) as string[] }),
  ],
  [
    new RegExp(
      `^ signal ${PATH} PropertiesChanged (?<interface>\\S+) changed (?<values>.*) invalidated (?<invalidated>.*)$`,
    ),
    ({ path = "", interface: name = "", values = "", invalidated = "" }) => ({
      changed: path,
      interface: name,
      values: JSON.parse(values) as Record<string, unknown>,
      invalidated: fromPython(invalidated) as string[],
    }),
  ],
  [/^ reply {2}(?<body>.*)$/, ({ body = "" }) => ({ reply: JSON.parse(body) as unknown })],
  [
    /^ error {2}(?<name>\S+) (?<body>.*)$/,
    ({ name = "", body = "" }) => ({ error: name, text: (JSON.parse(body) as [string])[0] }),
  ],
];

function eventIn(line: string, file: string): Event {
  for (const [form, eventOf] of FORMS) {
    const groups = form.exec(line)?.groups;
    if (groups !== undefined) return eventOf(groups);
  }
  throw new Error(`${file} has a line of an unknown form: ${line}`);
}

export function readRecording(recorded: Recorded = "sim"): Operation[] {
  const file = fileOf(recorded);
  const [before, ...parts] = readFileSync(file, "utf8").trimEnd().split(/^## /m);
  if (before !== "") throw new Error(`${file} does not begin with an operation`);
  return parts.map((part) => {
    const [name = "", ...lines] = part.trimEnd().split("\n");
    return { name, events: lines.map((line) => eventIn(line, file)) };
  });
}
