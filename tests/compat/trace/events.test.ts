/** What the comparison of traces lets pass, and what not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { comparable, type Event } from "./events";

const [U, V] = ["1".repeat(32), "2".repeat(32)];
const HYPHENATED = "11111111-1111-1111-1111-111111111111";
const same = (a: Event[], b: Event[]): void => {
  assert.deepEqual(comparable([{ name: "o", events: a }]), comparable([{ name: "o", events: b }]));
};
const differ = (a: Event[], b: Event[]): void => {
  assert.notDeepEqual(comparable([{ name: "o", events: a }]), comparable([{ name: "o", events: b }]));
};
const changed = (name: string, value: unknown): Event => ({
  changed: "/1",
  interface: name,
  values: { A: value },
  invalidated: [],
});
const gone = (path: string, ...interfaces: string[]): Event => ({ removed: path, interfaces });

test("a signal for each interface is another thing than one for all", () => {
  differ(
    [
      { added: "/1", interfaces: { a: 1 } },
      { added: "/1", interfaces: { b: 2 } },
    ],
    [{ added: "/1", interfaces: { a: 1, b: 2 } }],
  );
  differ([gone("/1", "a"), gone("/1", "b")], [gone("/1", "a", "b")]);
  differ([{ added: "/1", interfaces: { a: 1 } }], [{ added: "/1", interfaces: { a: 2 } }]);
  differ([{ added: "/1", interfaces: { a: 1 } }], [{ added: "/2", interfaces: { a: 1 } }]);
});

test("a repeated signal need not be, another value has to", () => {
  same([changed("a", 1), changed("b", 1), changed("a", 1)], [changed("a", 1), changed("b", 1)]);
  differ([changed("a", 1), changed("a", 2)], [changed("a", 1)]);
  differ([{ reply: 1 }, { reply: 1 }], [{ reply: 1 }]);
});

test("objects of one kind go in any order, kinds in theirs", () => {
  same(
    [gone("/10", "f"), gone("/9", "f"), gone("/1", "d")],
    [gone("/9", "f"), gone("/10", "f"), gone("/1", "d")],
  );
  same(
    [gone("/10", "f.r0"), gone("/10", "f.r1"), gone("/9", "f.r0"), gone("/9", "f.r1")],
    [gone("/9", "f.r0"), gone("/9", "f.r1"), gone("/10", "f.r0"), gone("/10", "f.r1")],
  );
  differ([gone("/9", "f.r0"), gone("/9", "f.r1")], [gone("/9", "f.r1"), gone("/9", "f.r0")]);
  differ([gone("/9", "f"), gone("/1", "d")], [gone("/1", "d"), gone("/9", "f")]);
});

test("uuids are whatever they are, but the same where they were the same, and in their form", () => {
  same(
    [{ reply: [U] }, { error: "e", text: `no ${U}, ${V}` }],
    [{ reply: [V] }, { error: "e", text: `no ${V}, ${U}` }],
  );
  differ([{ reply: U }, { error: "e", text: U }], [{ reply: U }, { error: "e", text: V }]);
  differ([{ reply: U }], [{ reply: HYPHENATED }]);
  differ([{ reply: U }], [{ reply: "0".repeat(32) }]);
});

test("lists of uuids and of devices have no order, others have", () => {
  same([{ reply: U }, { reply: [U, V] }], [{ reply: U }, { reply: [V, U] }]);
  const [a, b] = [{ devnode: "/dev/a" }, { devnode: "/dev/b" }];
  same([{ reply: [a, b] }], [{ reply: [b, a] }]);
  differ([{ reply: [true, "x"] }], [{ reply: ["x", true] }]);
});
