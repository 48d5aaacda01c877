/** LUKS2 devices that are none of a pool: what looks for pools disregards them, and what is asked for them names them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { identifyLuks } from "../../../../src/engine/real/discovery/found";
import { requireNoForeignSignature, requireUsable } from "../../../../src/engine/real/discovery/requested";
import { v1Crypt } from "../../../../src/dm/names";
import { setLogSink } from "../../../../src/log";
import { native, type UdevDevice } from "../../../../src/native";
import { printStratisToken } from "../../../../src/engine/real/crypt/stratis-token";
import { newDevUuid, newPoolUuid } from "../../../../src/uuid";
import { luksFile, V1 } from "../../../native/crypt-support";

const NUMBER = { major: 8, minor: 16 };
const KEY = JSON.stringify({ type: "luks2-keyring", keyslots: ["0"], key_description: "stratis-1-key-k" });
const stratisToken = (): string =>
  printStratisToken({ poolUuid: newPoolUuid(), devUuid: newDevUuid(), poolName: "data" });

/** As udev knows a LUKS device. */
const luksDevice = (devnode: string, more: Record<string, string> = {}): UdevDevice => ({
  ...{ action: null, initialized: true, devnode, ...NUMBER, sysPath: "/sys/devices/virtual/block/x" },
  properties: { ID_FS_TYPE: "crypto_LUKS", ID_FS_USAGE: "crypto", ...more },
});

async function fileWith(context: TestContext, tokens: readonly [number, string][]): Promise<string> {
  const { file } = await luksFile(context, ["secret"], { ...V1, mib: 17 });
  for (const [slot, json] of tokens) await native().cryptSetToken(file, slot, json);
  return file;
}

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

function warnings(context: TestContext): string[] {
  const found: string[] = [];
  setLogSink((level, _target, message) => {
    if (level === "warn") found.push(message);
  });
  context.after(() => {
    setLogSink(() => undefined);
  });
  return found;
}

/** What can be bound by other programs, too, and is no token of a pool. */
const OF_OTHERS: [string, [number, string][]][] = [
  ["without a token", []],
  ["with a key of ours alone", [[1, KEY]]],
  [
    "with tokens of others",
    [
      [0, '{"type":"systemd-tpm2","keyslots":["0"]}'],
      [1, KEY],
    ],
  ],
  [
    "with a token of ours that is not in its slot",
    [
      [3, stratisToken()],
      [1, KEY],
    ],
  ],
];

for (const [what, tokens] of OF_OTHERS)
  test(`a LUKS2 device ${what} is disregarded without a word, and stays as it is`, async (context) => {
    const warned = warnings(context);
    const file = await fileWith(context, tokens);
    const before = digest(file);
    assert.equal(await identifyLuks(luksDevice(file)), null);
    assert.deepEqual(warned, []);
    assert.equal(digest(file), before);
  });

const broken = (change: object): string =>
  JSON.stringify({ ...(JSON.parse(stratisToken()) as object), ...change });
const BROKEN: [string, string, RegExp][] = [
  ["with a member too many", broken({ extra: 1 }), /member extra is unknown/],
  ["of another device's mapping", broken({ activation_name: v1Crypt(newDevUuid()) }), /activation_name/],
  ["without the UUID of a pool", broken({ pool_uuid: "none" }), /none/],
];

for (const [what, token, reason] of BROKEN)
  test(`a token ${what} makes a LUKS2 device none of ours; it is warned of and stays as it is`, async (context) => {
    const warned = warnings(context);
    const file = await fileWith(context, [
      [0, token],
      [1, KEY],
    ]);
    const before = digest(file);
    assert.equal(await identifyLuks(luksDevice(file)), null);
    const [warning = "", ...more] = warned;
    assert.ok(warning.startsWith(`Disregarding ${file}, a LUKS device: `), warning);
    assert.match(warning, reason);
    assert.deepEqual(more, []);
    assert.equal(digest(file), before);
  });

test("a LUKS2 device of a pool is found, but not on a layer of a pool, and not while udev knows no node", async (context) => {
  const file = await fileWith(context, [
    [0, stratisToken()],
    [1, KEY],
  ]);
  assert.equal((await identifyLuks(luksDevice(file)))?.poolName, "data");
  const layer = luksDevice(file, { DM_NAME: "stratis-1-private-0-physical-originsub" });
  assert.equal(await identifyLuks(layer), null);
  assert.equal(await identifyLuks({ ...luksDevice(file), devnode: null }), null);
});

test("who asks for a LUKS2 device is told what it is, by udev's knowledge and by a look at it", async (context) => {
  const file = await fileWith(context, []);
  assert.throws(() => requireUsable(file, NUMBER, luksDevice(file)), {
    message: `${file} carries a LUKS header`,
  });
  const probe = await native().blkidProbe(file);
  assert.throws(
    () => {
      requireNoForeignSignature(file, probe);
    },
    { message: `${file} is already in use: it carries a crypto_LUKS signature` },
  );
});
