/**
 * Every method of every revision, as stratisd declares it: called with arguments that make it do its work, with too
 * few, with too many, with wrong types, and with values that nobody means well with.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Variant, MessageType } from "dbus-next";
import { BASE_PATH, PROPERTIES } from "../../src/dbus/names";
import { parseSignature, type SignatureNode } from "../../src/bus/signature";
import { newPoolUuid, simpleUuid } from "../../src/uuid";
import { startBus, type PrivateBus } from "./support/bus";
import { plain, type Received } from "./support/client";
import { DECLARED, joined, type DeclaredInterface } from "./support/declared";
import { KEYS, startSimulated, type Simulated } from "./support/simulated";
import { secretOf } from "../support/secrets";

type Method = DeclaredInterface["methods"][number];

/** Everything that the engine reports of itself. */
const state = (): string =>
  JSON.stringify(world.engine.engineStateReport(), (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );

const REVISIONS = Array.from({ length: 10 }, (_, revision) => revision);
const DECODER_ERROR = "org.freedesktop.zbus.Error";

let bus: PrivateBus;
let world: Simulated;
before(async () => {
  bus = await startBus();
});
after(() => bus.stop());

/** The objects that every revision finds: an encrypted pool with a snapshot and a cache, and an unencrypted one. */
interface Objects {
  readonly encrypted: string;
  readonly plain: string;
  readonly empty: string;
  readonly stopped: string;
  readonly filesystem: string;
  readonly snapshot: string;
  readonly device: string;
}

const INTEGRITY = {
  keys: [{ slot: 3, description: "k0" }],
  clevis: [{ slot: 5, pin: "tang", config: "{}" }],
};

async function populate(): Promise<Objects> {
  const { engine, client } = world;
  for (const key of KEYS) await engine.setKey(key, secretOf(key));
  const NONE = { keys: [], clevis: [] };
  const make = async (name: string, encryption = NONE as typeof INTEGRITY | typeof NONE): Promise<string> => {
    const keys = encryption.keys.map(({ slot, description }) => [[true, slot], description]);
    const clevis = encryption.clevis.map(({ slot, pin, config }) => [[true, slot], pin, config]);
    const body = [name, [`/dev/${name}`], keys, clevis, [false, 0n], [false, ""], [false, false]];
    const reply = await client.call("CreatePool", {
      interface: "org.storage.stratis3.Manager.r9",
      signature: "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
      body,
    });
    const [[, [path]]] = reply as [[boolean, [string]]];
    return path;
  };
  const encrypted = await make("encrypted", INTEGRITY);
  const plainPool = await make("plain");
  const empty = await make("empty");
  await make("stopped");
  await engine.stopPool({ by: "name", name: "stopped" });
  const pool = engine.pools().find(({ name }) => name === "encrypted");
  const stopped = engine.stoppedPools()[0]?.uuid;
  assert.ok(pool && stopped);
  const inPool = async (member: string, signature: string, body: unknown[]): Promise<unknown> => {
    const name = "org.storage.stratis3.pool.r9";
    const [result] = await client.call(member, { path: encrypted, interface: name, signature, body });
    return result;
  };
  const spec = [["f", [false, ""], [false, ""]]];
  const [, [[filesystem]]] = (await inPool("CreateFilesystems", "a(s(bs)(bs))", [spec])) as [
    boolean,
    [[string]],
  ];
  const [, snapshot] = (await inPool("SnapshotFilesystem", "os", [filesystem, "s"])) as [boolean, string];
  const device = `${BASE_PATH}/${Number(encrypted.slice(BASE_PATH.length + 1)) + 1}`;
  return { encrypted, plain: plainPool, empty, stopped, filesystem, snapshot, device };
}

interface Valid {
  readonly path: string;
  readonly body: unknown[];
  /** The method's result, or what must hold of it. */
  readonly result: unknown;
}
/** What a result must be where it holds paths or uuids that are not known beforehand. */
const done = (result: unknown): boolean => Array.isArray(result) && result[0] === true;
const json = (result: unknown): boolean =>
  typeof result === "string" && typeof JSON.parse(result) === "object";

/** Arguments with which a method does its work in a revision. */
function valid(objects: Objects, method: string, revision: number): Valid {
  const { encrypted, filesystem, device } = objects;
  const slot = (number: number): unknown[] => (revision < 8 ? [] : [[true, number]]);
  const [manager, pool] = [BASE_PATH, encrypted];
  const plainPool = objects.plain;
  const devices = [`/dev/${method}`];
  switch (method) {
    case "ListKeys":
      return { path: manager, body: [], result: KEYS };
    case "SetKey":
      // Which the tests' client cannot send.
      return { path: manager, body: ["k", 0], result: [false, false] };
    case "UnsetKey":
      return { path: manager, body: ["k2"], result: true };
    case "CreatePool": {
      const old = [
        [false, ""],
        [false, ["", ""]],
      ];
      const integrity = [
        [true, 4096n],
        [true, "32b"],
        [true, false],
      ];
      if (revision < 5) return { path: manager, body: ["new", [false, 0], devices, ...old], result: done };
      if (revision < 8) return { path: manager, body: ["new", devices, ...old], result: done };
      return { path: manager, body: ["new", devices, [[[true, 7], "k0"]], [], ...integrity], result: done };
    }
    case "DestroyPool":
      return { path: manager, body: [objects.empty], result: done };
    case "UnlockPool":
      return { path: manager, body: [newPoolUuid(), "clevis"], result: [true, []] };
    case "StartPool": {
      const id = simpleUuid(objects.stopped as ReturnType<typeof newPoolUuid>);
      if (revision < 4) return { path: manager, body: [id, [false, ""]], result: done };
      if (revision < 8) return { path: manager, body: ["stopped", "name", [false, ""]], result: done };
      const body = [id, "uuid", [false, [false, 0]], [false, 0]];
      return { path: manager, body: revision === 8 ? body : [...body, true], result: done };
    }
    case "StopPool":
      return { path: manager, body: revision < 6 ? [plainPool] : ["plain", "name"], result: done };
    case "RefreshState":
      return { path: manager, body: [], result: 0 };
    case "EngineStateReport":
      return { path: manager, body: [], result: json };
    case "GetReport":
      return { path: manager, body: ["stopped_pools"], result: json };
    case "CreateFilesystems": {
      const spec = ["new", [true, "1073741824"]];
      return { path: pool, body: [[revision < 6 ? spec : [...spec, [true, "1073741824"]]]], result: done };
    }
    case "DestroyFilesystems":
      return { path: pool, body: [[objects.snapshot]], result: done };
    case "SnapshotFilesystem":
      return { path: pool, body: [filesystem, "new-snapshot"], result: done };
    case "AddDataDevs":
    case "InitCache":
      return { path: plainPool, body: [devices], result: done };
    case "AddCacheDevs":
      return { path: plainPool, body: [devices], result: done };
    case "BindClevis":
      return { path: pool, body: ["tang", "{}", ...slot(9)], result: revision >= 8 };
    case "BindKeyring":
      return { path: pool, body: ["k0", ...slot(10)], result: revision >= 8 };
    case "RebindClevis":
      return { path: pool, body: slot(5), result: true };
    case "RebindKeyring":
      return { path: pool, body: ["k1", ...slot(3)], result: true };
    case "UnbindClevis":
      return { path: pool, body: slot(5), result: true };
    case "UnbindKeyring":
      // Without slots only one binding is left by now, which has to stay.
      return { path: pool, body: slot(3), result: revision >= 8 };
    case "GrowPhysicalDevice":
      return { path: pool, body: [newPoolUuid()], result: false };
    case "Metadata":
      return { path: pool, body: [true], result: json };
    case "FilesystemMetadata":
      return { path: pool, body: [[true, "f"], false], result: json };
    case "EncryptPool":
      return { path: plainPool, body: [[[[false, 0], "k0"]], [[[true, 4], "tang", "{}"]]], result: true };
    case "ReencryptPool":
      return { path: plainPool, body: [], result: true };
    case "DecryptPool":
      return { path: plainPool, body: [], result: true };
    case "SetUserInfo":
      return { path: device, body: [[true, "note"]], result: done };
    default:
      throw new Error(`No arguments for ${method}`);
  }
}

/** SetName is three methods. */
const renamed = (objects: Objects, kind: string): Valid =>
  kind === "pool"
    ? { path: objects.encrypted, body: ["renamed"], result: done }
    : { path: objects.filesystem, body: ["renamed"], result: done };

/** What cannot succeed here, and what is said then. */
const REFUSED: Record<string, RegExp> = {
  SetKey: /no file descriptor came with it|descriptor/,
  "UnbindKeyring of r0 to r7": /one remaining unlock method/,
};

const kindOf = (name: string): string => name.split(".")[3] ?? "";

async function send(
  path: string,
  name: string,
  member: string,
  signature: string,
  body: unknown[],
): Promise<Received> {
  const options = { path, interface: name, signature, body };
  return signature.includes("h")
    ? await world.client.callWithIndices(member, options)
    : await world.client.callForReply(member, options);
}

/** Methods in an order in which each finds what it needs: those that take things away come last. */
const LAST = [
  "EncryptPool",
  "ReencryptPool",
  "DecryptPool",
  "DestroyFilesystems",
  "DestroyPool",
  "StopPool",
  "SetName",
];
const inOrder = (methods: readonly Method[]): Method[] =>
  [...methods].sort((a, b) => LAST.indexOf(a.name) - LAST.indexOf(b.name));

const interfacesOf = (revision: number): [string, DeclaredInterface][] => {
  const ORDER = ["Report", "blockdev", "pool", "filesystem", "Manager"];
  return Object.entries(DECLARED)
    .filter(([name]) => name.endsWith(`.r${revision}`))
    .sort(([a], [b]) => ORDER.indexOf(kindOf(a)) - ORDER.indexOf(kindOf(b)));
};

const outcome = (reply: Received): unknown[] => plain(reply.body) as unknown[];

function assertDone(reply: Received, where: string, method: Method, wanted: Valid, revision: number): void {
  assert.equal(reply.type, MessageType.METHOD_RETURN, `${where}: ${String(reply.body[0])}`);
  assert.equal(reply.signature, joined(method.out), where);
  const body = outcome(reply);
  const [code, text] = body.slice(-2);
  const refusal = REFUSED[method.name] ?? (revision < 8 ? REFUSED[`${method.name} of r0 to r7`] : undefined);
  if (refusal !== undefined) {
    assert.equal(code, 1, where);
    assert.match(String(text), refusal, where);
  } else {
    assert.deepEqual([code, text], [0, "Ok"], where);
  }
  if (typeof wanted.result === "function")
    assert.ok((wanted.result as (result: unknown) => boolean)(body[0]), `${where}: ${JSON.stringify(body)}`);
  else assert.deepEqual(body[0], wanted.result, where);
}

async function callValid(objects: Objects, name: string, method: Method, revision: number): Promise<void> {
  const kind = kindOf(name);
  const wanted = method.name === "SetName" ? renamed(objects, kind) : valid(objects, method.name, revision);
  const where = `${name}.${method.name}`;
  assertDone(
    await send(wanted.path, name, method.name, joined(method.in), wanted.body),
    where,
    method,
    wanted,
    revision,
  );
}

/** Too few arguments, and each argument in turn of another type: the decoder's error, and nothing is done. */
async function callWrong(objects: Objects, name: string, method: Method, revision: number): Promise<void> {
  const kind = kindOf(name);
  const { path, body } =
    method.name === "SetName" ? renamed(objects, kind) : valid(objects, method.name, revision);
  const types = method.in.map(({ signature }) => signature);
  const attempts: [string[], unknown[]][] = types.map((_, index) => [
    types.map((type, at) => (at === index ? "d" : type)),
    body.map((value, at) => (at === index ? 1.5 : value)),
  ]);
  if (types.length > 0) attempts.push([types.slice(0, -1), body.slice(0, -1)], [[], []]);
  for (const [signature, values] of attempts) {
    const reply = await send(path, name, method.name, signature.join(""), values);
    const where = `${name}.${method.name}(${signature.join("")})`;
    assert.equal(reply.errorName, DECODER_ERROR, where);
    assert.equal(
      reply.body[0],
      `Signature mismatch: got \`${signature.join("")}\`, expected \`${types.join("")}\``,
      where,
    );
  }
}

/** Values of each type that are legal on the bus and ask for trouble. */
function hostile(node: SignatureNode, variant: number): unknown {
  const TEXTS = [
    "",
    "\u0001\u007f\u2028",
    "../../../../etc/passwd",
    "x".repeat(70_000),
    "__proto__",
    "\ud83d\ude00;{}'\"\\",
  ];
  const [child] = node.children;
  switch (node.code as string) {
    case "b":
      return variant % 2 === 0;
    case "q":
      return 0xffff;
    case "u":
    case "h":
      return 0xffffffff;
    case "t":
      return 2n ** 64n - 1n;
    case "s":
      return TEXTS[variant % TEXTS.length];
    case "o":
      return ["/", BASE_PATH, `${BASE_PATH}/18446744073709551616`, `/${"a/".repeat(200)}a`][variant % 4];
    case "a":
      assert.ok(child);
      return variant % 3 === 0
        ? []
        : Array.from({ length: 3 * variant }, (_, index) => hostile(child, index));
    case "(":
      return node.children.map((member) => hostile(member, variant));
    default:
      throw new Error(`No values for ${node.code}`);
  }
}

const VARIANTS = 6;

async function callHostile(path: string, name: string, method: Method): Promise<void> {
  const signature = joined(method.in);
  // Those without arguments do their work, which is tested elsewhere.
  if (method.in.length === 0) return;
  for (let variant = 0; variant < VARIANTS; variant++) {
    const body = parseSignature(signature).map((node) => hostile(node, variant));
    const reply = await send(path, name, method.name, signature, body);
    const where = `${name}.${method.name}, hostile values ${variant}`;
    assert.equal(reply.type, MessageType.METHOD_RETURN, `${where}: ${String(reply.body[0]).slice(0, 200)}`);
    assert.equal(reply.signature, joined(method.out), where);
    const [code, text] = outcome(reply).slice(-2);
    assert.ok(code === 0 ? text === "Ok" : code === 1 && text !== "", where);
    assert.doesNotMatch(String(text), /\n\s+at |Internal error/, where);
  }
}

for (const revision of REVISIONS) {
  test(`r${revision}: wrong and hostile arguments change nothing, valid ones do the work`, async () => {
    world = await startSimulated(bus);
    try {
      const objects = await populate();
      const before = state();
      for (const [name, { methods }] of interfacesOf(revision))
        for (const method of methods) await callWrong(objects, name, method, revision);
      assert.equal(state(), before);
      for (const [name, { methods }] of interfacesOf(revision))
        for (const method of inOrder(methods)) await callValid(objects, name, method, revision);
    } finally {
      await world.end();
    }
  });

  test(`r${revision}: hostile values and superfluous arguments get one clear reply`, async () => {
    world = await startSimulated(bus);
    try {
      const objects = await populate();
      const paths: Record<string, string> = {
        Manager: BASE_PATH,
        Report: BASE_PATH,
        pool: objects.encrypted,
        filesystem: objects.filesystem,
        blockdev: objects.device,
      };
      const kinds = interfacesOf(revision);
      for (const [name, { methods }] of kinds)
        for (const method of methods) await callHostile(paths[kindOf(name)] ?? BASE_PATH, name, method);
      assert.deepEqual(
        world.log.filter(({ level }) => level === "error"),
        [],
      );
    } finally {
      await world.end();
    }
  });
}

test("arguments beyond those that a method has are ignored, in every revision", async () => {
  for (const revision of [0, 9]) {
    world = await startSimulated(bus);
    try {
      const objects = await populate();
      for (const [name, { methods }] of interfacesOf(revision))
        for (const method of inOrder(methods)) {
          const kind = kindOf(name);
          const wanted =
            method.name === "SetName" ? renamed(objects, kind) : valid(objects, method.name, revision);
          const reply = await send(wanted.path, name, method.name, `${joined(method.in)}sa{sv}`, [
            ...wanted.body,
            "more",
            { no: new Variant<unknown>("b", true) },
          ]);
          assertDone(reply, `${name}.${method.name} with more`, method, wanted, revision);
        }
    } finally {
      await world.end();
    }
  }
});

test("properties: read-only ones can't be set, values of another type are refused, nothing changes", async () => {
  world = await startSimulated(bus);
  try {
    const objects = await populate();
    const paths: Record<string, string> = {
      Manager: BASE_PATH,
      pool: objects.encrypted,
      filesystem: objects.snapshot,
      blockdev: objects.device,
    };
    for (const [name, { properties }] of Object.entries(DECLARED))
      for (const { name: property, signature, access } of properties) {
        const path = paths[kindOf(name)] ?? BASE_PATH;
        const where = `${name}.${property}`;
        const before = await world.client.get(path, name, property);
        const attempt = (value: Variant<unknown>): Promise<Received> =>
          send(path, PROPERTIES, "Set", "ssv", [name, property, value]);
        // What was unwrapped on its way here can't be sent back as it came.
        const current = signature.includes("v")
          ? new Variant<unknown>("s", "x")
          : new Variant<unknown>(signature, before);
        if (access === "read") {
          const reply = await attempt(current);
          assert.equal(reply.errorName, "org.freedesktop.DBus.Error.UnknownProperty", where);
          assert.equal(reply.body[0], `Unknown property '${property}'`, where);
        } else {
          assert.equal((await attempt(new Variant<unknown>("d", 1.5))).errorName, DECODER_ERROR, where);
          const nested = new Variant<unknown>("v", current);
          assert.equal((await attempt(nested)).errorName, DECODER_ERROR, where);
        }
        assert.deepEqual(await world.client.get(path, name, property), before, where);
      }
  } finally {
    await world.end();
  }
});
