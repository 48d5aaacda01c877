/** The derived interfaces against the data that upstream's were read into. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { KINDS } from "../../src/dbus/names";
import { INTERFACES } from "../../src/dbus/interfaces";
import type { DerivedInterface } from "../../src/dbus/table/derive";
import { startWorld, type World } from "./support/world";
import { parseIntrospection } from "./support/xml";

interface Argument {
  name: string;
  signature: string;
}
interface InterfaceData {
  methods: { name: string; in: Argument[]; out: Argument[] }[];
  properties: { name: string; signature: string; access: string; emitsChanged: string }[];
  signals: unknown[];
}

// Tests run from the compiler's output, which has no fixtures: they stay with the sources.
const fixture = join(process.cwd(), "tests/fixtures/dbus-interfaces.json");
const expected = JSON.parse(readFileSync(fixture, "utf8")) as Record<string, InterfaceData>;

const asData = (derived: DerivedInterface): InterfaceData => ({
  methods: [...derived.methods.values()].map((method) => ({
    name: method.name,
    in: [...method.in],
    out: [...method.out],
  })),
  properties: [...derived.properties.values()].map(({ name, signature, access, emits }) => ({
    name,
    signature,
    access,
    emitsChanged: emits,
  })),
  signals: [],
});

test("all fifty interfaces are those of the fixture: members, order, arguments, access, announcements", () => {
  const derived = KINDS.flatMap((kind) => INTERFACES[kind] as readonly DerivedInterface[]);
  assert.equal(derived.length, 50);
  assert.deepEqual(Object.fromEntries(derived.map((entry) => [entry.name, asData(entry)])), expected);
});

let world: World;
before(async () => {
  world = await startWorld((engine) => {
    engine.addPool("p", ["/dev/a", "/dev/b"]).addFilesystem("f");
  });
});
after(() => world.end());

const introspect = async (path: string): Promise<string> => {
  const [xml] = await world.client.call("Introspect", {
    path,
    interface: "org.freedesktop.DBus.Introspectable",
  });
  return xml as string;
};

test("introspection of the base path nests every object with all its interfaces", async () => {
  const root = parseIntrospection(await introspect("/org/storage/stratis3"));
  assert.equal(root.name, null);
  assert.deepEqual(
    root.nodes.map(({ name }) => name),
    ["0", "1", "2", "3"],
  );
  const [pool, filesystem, first, second] = root.nodes;
  for (const [node, kinds] of [
    [root, ["Manager", "Report"]],
    [pool, ["pool"]],
    [filesystem, ["filesystem"]],
    [first, ["blockdev"]],
    [second, ["blockdev"]],
  ] as const) {
    assert.ok(node);
    const ours = Object.fromEntries(
      Object.entries(node.interfaces).filter(([name]) => name.startsWith("org.storage.stratis3.")),
    );
    const wanted = Object.entries(expected).filter(([name]) =>
      kinds.some((kind) => name.startsWith(`org.storage.stratis3.${kind}.`)),
    );
    assert.deepEqual(ours, Object.fromEntries(wanted));
  }
  assert.deepEqual(
    Object.keys(root.interfaces).filter((name) => name.startsWith("org.freedesktop.")),
    [
      "org.freedesktop.DBus.Introspectable",
      "org.freedesktop.DBus.ObjectManager",
      "org.freedesktop.DBus.Peer",
      "org.freedesktop.DBus.Properties",
    ],
  );
  assert.deepEqual(Object.keys(root.interfaces), Object.keys(root.interfaces).sort());
});

test("introspection of the nodes above the base path leads down to it", async () => {
  let node = parseIntrospection(await introspect("/"));
  for (const name of ["org", "storage", "stratis3"]) {
    assert.deepEqual(Object.keys(node.interfaces), [
      "org.freedesktop.DBus.Introspectable",
      "org.freedesktop.DBus.Peer",
      "org.freedesktop.DBus.Properties",
    ]);
    const [child, ...others] = node.nodes;
    assert.ok(child);
    assert.equal(child.name, name);
    assert.equal(others.length, 0);
    node = child;
  }
  assert.equal(node.nodes.length, 4);
});

test("introspection of an object has that object alone", async () => {
  const pool = parseIntrospection(await introspect("/org/storage/stratis3/0"));
  assert.equal(pool.nodes.length, 0);
  assert.equal(Object.keys(pool.interfaces).length, 13);
});
