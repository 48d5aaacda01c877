/** What was on the bus during an operation, and what of it two daemons have to agree on. */

export type Event =
  | { readonly call: string; readonly path: string }
  | { readonly added: string; readonly interfaces: Readonly<Record<string, number>> }
  | { readonly removed: string; readonly interfaces: readonly string[] }
  | {
      readonly changed: string;
      readonly interface: string;
      readonly values: Readonly<Record<string, unknown>>;
      readonly invalidated: readonly string[];
    }
  | { readonly reply: unknown }
  | { readonly error: string; readonly text: string };

/** `added` has the number of properties by interface. Interfaces lack "org.storage.stratis3." in front. */
export interface Operation {
  readonly name: string;
  readonly events: readonly Event[];
}

/** Drops what repeats an earlier signal: after Set, stratisd tells twice of the interface that was addressed. */
function once(events: readonly Event[]): Event[] {
  const seen = new Set<string>();
  return events.filter((event) => {
    const text = JSON.stringify(event);
    if (!("changed" in event) || !seen.has(text)) return seen.add(text);
    return false;
  });
}

const numberIn = (path: string): number => Number(path.slice(path.lastIndexOf("/") + 1));

/** The kind of an object that goes away: what its interfaces are called but for their revisions. */
const kindOf = ([name = ""]: readonly string[]): string => name.replace(/\.r\d$/, "");

/** Objects of one kind that go away together do so in no order. */
function inOrder(events: readonly Event[]): Event[] {
  const result = [...events];
  for (let begin = 0; begin < result.length; begin += 1) {
    const first = result[begin];
    if (first === undefined || !("removed" in first)) continue;
    const run = result.slice(begin);
    const other = run.findIndex(
      (event) => !("removed" in event) || kindOf(event.interfaces) !== kindOf(first.interfaces),
    );
    const same = run.slice(0, other < 0 ? run.length : other).filter((event) => "removed" in event);
    result.splice(begin, same.length, ...same.sort((a, b) => numberIn(a.removed) - numberIn(b.removed)));
    begin += same.length - 1;
  }
  return result;
}

const UUID = /\b[\da-f]{8}(-?)[\da-f]{4}\1[\da-f]{4}\1[\da-f]{4}\1[\da-f]{12}\b/g;
const NONE = "0".repeat(32);
const LABEL = /^uuid \d+$/;

function deviceName(value: unknown): string | null {
  const name: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "devnode") : null;
  return typeof name === "string" ? name : null;
}

/** Sorts the arrays within a value that have no order: devices, and, once they are labelled, uuids. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const entries: unknown[] = value.map(sorted);
    const keys = entries.map((entry) =>
      typeof entry === "string" && LABEL.test(entry) ? entry : deviceName(entry),
    );
    if (keys.includes(null)) return entries;
    return entries
      .map((entry, index) => ({ entry, key: keys[index] ?? "" }))
      .sort((a, b) => a.key.localeCompare(b.key, "en", { numeric: true }))
      .map(({ entry }) => entry);
  }
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, sorted(entry)]));
  return value;
}

/**
 * The operations in the form in which those of two daemons are equal when the daemons do the same: without repetitions
 * and chance orders, and with uuids numbered as they come up.
 */
export function comparable(operations: readonly Operation[]): Operation[] {
  const labels = new Map<string, string>();
  const label = (text: string, hyphen: string): string => {
    const simple = text.replaceAll("-", "");
    if (simple === NONE) return text;
    const known = labels.get(simple) ?? `uuid ${labels.size + 1}`;
    labels.set(simple, known);
    return hyphen === "" ? known : `hyphenated ${known}`;
  };
  return operations.map(({ name, events }) => {
    const ordered = sorted(inOrder(once(events)));
    return { name, events: sorted(JSON.parse(JSON.stringify(ordered).replace(UUID, label))) as Event[] };
  });
}
