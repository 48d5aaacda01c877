/**
 * Arguments that nobody means well with: for every method of every revision and for the standard interfaces, bodies
 * made up at random. Each call gets exactly one reply, no reply has a stack in it, and the service goes on.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MessageType, Variant } from "dbus-next";
import fc from "fast-check";
import { INTERFACES } from "../../src/dbus/interfaces";
import { BASE_PATH, INTROSPECTABLE, KINDS, OBJECT_MANAGER, PEER, PROPERTIES } from "../../src/dbus/names";
import { parseSignature, type SignatureNode } from "../../src/bus/signature";
import type { DerivedInterface } from "../../src/dbus/table/derive";
import { plain, type Received } from "./support/client";
import { startWorld, type World } from "./support/world";

const CALLS_PER_METHOD = 8;
const CALLS_OF_STANDARD_INTERFACES = 300;
const PATHS = ["/", "/org/storage", BASE_PATH, ...[0, 1, 2, 3, 9].map((number) => `${BASE_PATH}/${number}`)];

const freshWorld = (): Promise<World> =>
  startWorld((engine) => {
    engine.addPool("p", ["/dev/a"]).addFilesystem("f");
  });

let world: World;
before(async () => {
  world = await freshWorld();
});
after(() => world.end());

/** Some calls succeed, and can take away the objects that the next ones need: then there is a new world for those. */
async function ensureObjects(): Promise<void> {
  const [pool, ...others] = world.engine.pools();
  if (pool?.filesystems()[0]?.name !== undefined && others.length === 0) {
    const [paths] = await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
    if ([0, 1, 2].every((number) => `${BASE_PATH}/${number}` in (paths as object))) return;
  }
  await world.end();
  world = await freshWorld();
}

const text = fc.oneof(
  fc.constantFrom(
    "",
    "p",
    "f",
    "name",
    "uuid",
    "any",
    "/dev/a",
    "stopped_pools",
    "{}",
    "__proto__",
    "a;b",
    "1073741824",
  ),
  fc.string({ unit: "grapheme" }).map((string) => string.replaceAll("\0", "")),
  fc.string({ unit: "binary", maxLength: 300 }).map((string) => string.replaceAll("\0", "")),
);

/** A value of a D-Bus type. Types h are sent as the indices that they are on the wire. */
function valueOf(node: SignatureNode): fc.Arbitrary<unknown> {
  const [child, second] = node.children;
  switch (node.code as string) {
    case "b":
      return fc.boolean();
    case "y":
      return fc.nat(0xff);
    case "q":
      return fc.nat(0xffff);
    case "u":
    case "h":
      return fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffffffff }));
    case "t":
      return fc.bigInt(0n, 2n ** 64n - 1n);
    case "o":
      return fc.constantFrom(...PATHS);
    case "v":
      return fc
        .constantFrom("s", "b", "t", "(bs)", "as", "a{sv}", "v", "(b(b(ss)))")
        .chain((signature) =>
          bodyOf(signature === "v" ? "s" : signature).map(
            ([value]) =>
              new Variant<unknown>(signature, signature === "v" ? new Variant<unknown>("s", value) : value),
          ),
        );
    case "(":
      return fc.tuple(...node.children.map(valueOf));
    case "a":
      if (child?.code === "{" && second === undefined)
        return fc.dictionary(text, valueOf(child.children[1] ?? assert.fail()), {
          maxKeys: 3,
          noNullPrototype: true,
        });
      return fc.array(valueOf(child ?? assert.fail()), { maxLength: 4 });
    default:
      return text;
  }
}

const bodyOf = (signature: string): fc.Arbitrary<unknown[]> =>
  fc.tuple(...parseSignature(signature).map(valueOf));

interface Attempt {
  path: string;
  interface: string;
  member: string;
  signature: string;
  body: unknown[];
}

/** The right signature mostly; otherwise any other, which begins with it or does not. */
const attempt = (path: fc.Arbitrary<string>, name: string, member: string, signature: string) =>
  fc
    .tuple(
      path,
      fc.oneof(
        { weight: 6, arbitrary: fc.constant(signature) },
        { weight: 1, arbitrary: fc.constant(`${signature}s`) },
        { weight: 1, arbitrary: fc.constantFrom("", "s", "v", "as", "a(s(bs))", "(bt)u") },
      ),
    )
    .chain(([chosenPath, chosen]) =>
      bodyOf(chosen).map((body): Attempt => ({
        path: chosenPath,
        interface: name,
        member,
        signature: chosen,
        body,
      })),
    );

function assertWellBehaved(reply: Received, { member }: Attempt): void {
  const shown = JSON.stringify(plain(reply.body), (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  if (member !== "Introspect") assert.doesNotMatch(shown, /\\n\s+at |\.js:\d/);
  assert.doesNotMatch(shown, /Internal error/);
  if (reply.type === MessageType.ERROR) {
    assert.match(reply.errorName ?? "", /^org\.freedesktop\.(DBus\.Error\.|zbus\.Error$)/);
    assert.equal(reply.signature, "s");
  }
}

async function survives(attempts: fc.Arbitrary<Attempt>, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(attempts, async (call) => {
      await ensureObjects();
      world.client.take();
      const { member, ...options } = call;
      const reply = await (options.signature.includes("h")
        ? world.client.callWithIndices(member, options)
        : world.client.callForReply(member, options));
      // A second reply would come before the answer to this.
      await world.client.call("Ping", { interface: PEER });
      const replies = world.client.received.filter(({ replySerial }) => replySerial === reply.replySerial);
      assert.equal(replies.length, 1);
      assertWellBehaved(reply, call);
    }),
    { numRuns, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
}

const OBJECTS: Record<(typeof KINDS)[number], string> = {
  Manager: BASE_PATH,
  Report: BASE_PATH,
  pool: `${BASE_PATH}/0`,
  filesystem: `${BASE_PATH}/1`,
  blockdev: `${BASE_PATH}/2`,
};

for (const kind of KINDS)
  for (const derived of INTERFACES[kind] as readonly DerivedInterface[])
    test(`hostile calls of ${kind}.r${derived.revision}`, async () => {
      const path = fc.oneof(fc.constant(OBJECTS[kind]), fc.constantFrom(OBJECTS[kind], ...PATHS));
      for (const { name, inSignature } of derived.methods.values())
        await survives(attempt(path, derived.name, name, inSignature), CALLS_PER_METHOD);
    });

test("hostile calls of the standard interfaces", async () => {
  const names = KINDS.flatMap((kind) => INTERFACES[kind].map(({ name }) => name));
  const path = fc.constantFrom(...PATHS);
  const properties = [
    ...new Set(KINDS.flatMap((kind) => INTERFACES[kind].flatMap(({ properties: all }) => [...all.keys()]))),
  ];
  const set = fc
    .tuple(
      path,
      fc.constantFrom(...names),
      fc.constantFrom(...properties),
      valueOf({ code: "v", children: [] }),
    )
    .map(([chosen, name, property, value]): Attempt => ({
      path: chosen,
      interface: PROPERTIES,
      member: "Set",
      signature: "ssv",
      body: [name, property, value],
    }));
  await survives(
    fc.oneof(
      set,
      attempt(path, PROPERTIES, "Get", "ss"),
      attempt(path, PROPERTIES, "GetAll", "s"),
      attempt(path, PROPERTIES, "Set", "ssv"),
      attempt(path, INTROSPECTABLE, "Introspect", ""),
      attempt(path, OBJECT_MANAGER, "GetManagedObjects", ""),
      attempt(path, PEER, "Ping", ""),
      attempt(path, "no.such.Interface", "Nope", "s"),
    ),
    CALLS_OF_STANDARD_INTERFACES,
  );
});

test("after all that the service still answers with everything", async () => {
  const [objects] = await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  for (const interfaces of Object.values(objects as Record<string, object>))
    assert.equal(Object.keys(interfaces).length, 10);
  assert.ok(!world.log.some(({ level }) => level === "error"));
});
