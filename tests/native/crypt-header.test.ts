/** LUKS2 headers and keyslots by libcryptsetup, on plain files. */
import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { dataLayout } from "../../src/disk/luks2-segments";
import { native, type CryptHeader } from "../../src/native";
import { CHEAP, COMPACT, V1, V2, bytesAt, diskFile, luksFile, overwrite, passphrase } from "./crypt-support";
import { callUntyped, failsWith, temporaryFolder } from "./support";

const MIB = 1024 * 1024;
const SECTOR = 512;

async function headerOf(file: string): Promise<CryptHeader> {
  const header = await native().cryptLoad(file);
  assert.ok(header !== null, "no header");
  return header;
}

test("headers of both versions have upstream's layout", async (context) => {
  for (const version of [V1, V2]) {
    const file = diskFile(context, 20);
    assert.equal(await native().cryptLoad(file), null);
    const key = await native().cryptFormat(file, { ...version, ...CHEAP });
    assert.equal(key.bytes, 64);
    const header = await headerOf(file);
    assert.match(header.uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const { json: text, ...rest } = header;
    assert.equal(dataLayout(text).segments[0]?.offset, version.dataOffsetSectors * 512n);
    assert.deepEqual(rest, {
      ...version,
      uuid: header.uuid,
      cipher: "aes",
      cipherMode: "xts-plain64",
      sectorSize: header.sectorSize,
      volumeKeyBytes: null,
      keyslots: [],
      tokens: [],
      reencryption: { state: "none", mode: null },
    });
    for (const offset of [0, version.metadataSize])
      assert.match(bytesAt(file, offset, 4).toString("latin1"), /^(LUKS|SKUL)$/);
    const json = JSON.parse(
      bytesAt(file, 4096, version.metadataSize - 4096)
        .toString()
        .replace(/\0+$/, ""),
    ) as { config: unknown; segments: Record<string, { size: string; offset: string }> };
    assert.deepEqual(json.config, {
      json_size: String(version.metadataSize - 4096),
      keyslots_size: String(version.keyslotsSize),
    });
    assert.equal(json.segments["0"]?.size, "dynamic");
    assert.equal(json.segments["0"].offset, String(version.dataOffsetSectors * BigInt(SECTOR)));
    key.wipe();
    key.wipe();
  }
});

test("uuid, sector size, cipher and size of the key are as asked for", async (context) => {
  const file = diskFile(context, 4);
  const uuid = "6a0c3a0e-5b1f-4d0a-9e0f-0d2a8e6c1b44";
  const key = await native().cryptFormat(file, {
    ...COMPACT,
    uuid,
    sectorSize: 4096,
    volumeKeyBytes: 32,
    ...CHEAP,
  });
  assert.equal(key.bytes, 32);
  await native().cryptAddKeyslot(file, { volumeKey: key }, passphrase("p"), CHEAP);
  const header = await headerOf(file);
  assert.deepEqual([header.uuid, header.sectorSize, header.volumeKeyBytes], [uuid, 4096, 32]);
  await assert.rejects(native().cryptFormat(file, { ...COMPACT, sectorSize: 1000 }), {
    code: "EINVAL",
    syscall: "crypt_format",
    message: /sector size/,
  });
  await assert.rejects(native().cryptFormat(file, { ...COMPACT, uuid: "none" }), {
    code: "EINVAL",
    message: /UUID/,
  });
  await assert.rejects(native().cryptFormat(file, { ...COMPACT, cipher: "rot13" }), {
    syscall: "crypt_format",
  });
  await assert.rejects(native().cryptFormat(file, { ...COMPACT, metadataSize: 5000 }), {
    code: "EINVAL",
    syscall: "crypt_set_metadata_size",
  });
});

test("keyslots are added by the new key, by a passphrase and by an old key", async (context) => {
  const { file, volumeKey } = await luksFile(context, ["first"]);
  const addon = native();
  const second = await addon.cryptAddKeyslot(file, passphrase("first"), passphrase("second"), CHEAP);
  const key = await addon.cryptVolumeKey(file, passphrase("second"));
  assert.equal(key.bytes, volumeKey.bytes);
  const third = await addon.cryptAddKeyslot(file, { volumeKey: key }, passphrase("third"), {
    ...CHEAP,
    keyslot: 9,
  });
  const { readEnd, writeEnd } = addon.pipeWith(Buffer.from("second"));
  const fourth = await addon.cryptAddKeyslot(file, { fd: readEnd, keyslot: 1 }, passphrase("fourth"), CHEAP);
  for (const end of [readEnd, writeEnd]) addon.closeDescriptor(end);
  assert.deepEqual([second, third, fourth], [1, 9, 2]);
  for (const [text, keyslot] of [
    ["first", 0],
    ["second", 1],
    ["third", 9],
    ["fourth", 2],
  ] as const) {
    assert.equal(await addon.cryptTest(file, passphrase(text)), keyslot);
    assert.equal(await addon.cryptTest(file, { ...passphrase(text), keyslot }), keyslot);
  }
  const keyslots = [0, 1, 2, 9].map((keyslot) => ({ keyslot, unbound: false }));
  assert.deepEqual((await headerOf(file)).keyslots, keyslots);
  await assert.rejects(
    addon.cryptAddKeyslot(file, passphrase("first"), passphrase("x"), { ...CHEAP, keyslot: 9 }),
    failsWith({ code: "EINVAL", syscall: "crypt_keyslot_add_by_key", target: file }),
  );
  volumeKey.wipe();
  await assert.rejects(addon.cryptAddKeyslot(file, { volumeKey }, passphrase("x"), CHEAP), {
    code: "EINVAL",
    message: /was wiped/,
  });
});

test("a wrong passphrase and a wrong key open nothing", async (context) => {
  const { file } = await luksFile(context, ["right", "other"]);
  const addon = native();
  const wrong = failsWith({ code: "EPERM", target: file });
  await assert.rejects(addon.cryptTest(file, passphrase("wrong")), wrong);
  await assert.rejects(addon.cryptTest(file, { ...passphrase("right"), keyslot: 1 }), wrong);
  await assert.rejects(addon.cryptVolumeKey(file, passphrase("right\n")), wrong);
  await assert.rejects(addon.cryptAddKeyslot(file, passphrase("wrong"), passphrase("x"), CHEAP), wrong);
  await assert.rejects(addon.cryptChangeKeyslot(file, 0, passphrase("other"), passphrase("x"), CHEAP), wrong);
  await assert.rejects(addon.cryptTest(file, { ...passphrase("right"), keyslot: 5 }), { code: "ENOENT" });
  const foreign = await addon.cryptGenerateVolumeKey();
  await assert.rejects(addon.cryptAddKeyslot(file, { volumeKey: foreign }, passphrase("x"), CHEAP), {
    code: "EPERM",
    message: /Volume key does not match/,
  });
  assert.equal((await headerOf(file)).keyslots.length, 2);
});

test("a passphrase is bytes, not text", async (context) => {
  const { file, volumeKey } = await luksFile(context, []);
  const bytes = Buffer.from([0, 255, 10, 0, 128]);
  await native().cryptAddKeyslot(file, { volumeKey }, { passphrase: bytes }, CHEAP);
  assert.equal(await native().cryptTest(file, { passphrase: bytes }), 0);
  await assert.rejects(native().cryptTest(file, { passphrase: bytes.subarray(0, 4) }), { code: "EPERM" });
});

test("a keyslot is changed in its place, also where two have the same passphrase", async (context) => {
  const { file } = await luksFile(context, ["same", "same"]);
  const addon = native();
  assert.equal(await addon.cryptChangeKeyslot(file, 1, passphrase("same"), passphrase("new"), CHEAP), 1);
  assert.equal(await addon.cryptTest(file, passphrase("same")), 0);
  assert.equal(await addon.cryptTest(file, passphrase("new")), 1);
});

test("a destroyed keyslot opens nothing and is free", async (context) => {
  const { file } = await luksFile(context, ["first", "second"]);
  const addon = native();
  await addon.cryptDestroyKeyslot(file, 0);
  await assert.rejects(addon.cryptTest(file, passphrase("first")), { code: "EPERM" });
  await assert.rejects(addon.cryptDestroyKeyslot(file, 0), { syscall: "crypt_keyslot_destroy" });
  assert.deepEqual((await headerOf(file)).keyslots, [{ keyslot: 1, unbound: false }]);
  assert.equal(await addon.cryptAddKeyslot(file, passphrase("second"), passphrase("third"), CHEAP), 0);
});

test("keyslots of a key to come share it and open no data", async (context) => {
  const { file } = await luksFile(context, ["now"]);
  const addon = native();
  const volumeKey = await addon.cryptGenerateVolumeKey();
  const unbound = { ...CHEAP, unbound: true };
  await addon.cryptAddKeyslot(file, { volumeKey }, passphrase("then"), unbound);
  await addon.cryptAddKeyslot(file, { volumeKey }, passphrase("then too"), unbound);
  assert.deepEqual((await headerOf(file)).keyslots, [
    { keyslot: 0, unbound: false },
    { keyslot: 1, unbound: true },
    { keyslot: 2, unbound: true },
  ]);
  await assert.rejects(addon.cryptTest(file, passphrase("then")), { code: "EPERM" });
  const json = bytesAt(file, 4096, COMPACT.metadataSize - 4096)
    .toString("latin1")
    .replace(/\0+$/, "");
  const { digests } = JSON.parse(json) as { digests: Record<string, { keyslots: string[] }> };
  assert.deepEqual(
    Object.values(digests).map(({ keyslots }) => keyslots),
    [["0"], ["1", "2"]],
  );
});

test("no more than 32 keyslots", async (context) => {
  const { file, volumeKey } = await luksFile(context, [], { ...V2, mib: 18 });
  for (let keyslot = 0; keyslot < 32; keyslot++)
    assert.equal(
      await native().cryptAddKeyslot(file, { volumeKey }, passphrase(`p${keyslot}`), CHEAP),
      keyslot,
    );
  await assert.rejects(native().cryptAddKeyslot(file, { volumeKey }, passphrase("x"), CHEAP), {
    syscall: "crypt_keyslot_add_by_key",
  });
  assert.equal(await native().cryptTest(file, passphrase("p31")), 31);
});

test("argon2 with its own cost", async (context) => {
  const { file, volumeKey } = await luksFile(context, []);
  const pbkdf = { type: "argon2id", iterations: 4, memoryKiB: 64, threads: 1 } as const;
  await native().cryptAddKeyslot(file, { volumeKey }, passphrase("a"), { pbkdf });
  assert.equal(await native().cryptTest(file, passphrase("a")), 0);
  const json = bytesAt(file, 4096, 12288).toString("latin1");
  assert.match(json, /"kdf":\{"type":"argon2id","time":4,"memory":64,"cpus":1,/);
});

test("either copy of a damaged header is repaired from the other", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const whole = bytesAt(file, 0, 2 * COMPACT.metadataSize);
  const { uuid } = await headerOf(file);
  for (const damaged of [0, COMPACT.metadataSize]) {
    overwrite(file, damaged + 4096 + 10, randomBytes(100));
    assert.equal((await headerOf(file)).uuid, uuid);
    assert.deepEqual(bytesAt(file, damaged + 4096, 1000), whole.subarray(damaged + 4096, damaged + 5096));
    assert.equal(await native().cryptTest(file, passphrase("p")), 0);
    overwrite(file, damaged, Buffer.alloc(COMPACT.metadataSize));
    assert.equal((await headerOf(file)).uuid, uuid);
  }
  for (const damaged of [0, COMPACT.metadataSize]) overwrite(file, damaged + 4096 + 10, randomBytes(100));
  assert.equal(await native().cryptLoad(file), null);
  await assert.rejects(
    native().cryptTest(file, passphrase("p")),
    failsWith({ code: "ENODATA", target: file }),
  );
});

test("random bytes in place of a header are no header, and harm nothing", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const whole = bytesAt(file, 0, 2 * COMPACT.metadataSize);
  for (let round = 0; round < 100; round++) {
    const hostile = Buffer.from(whole);
    const length = 1 + (round % 40);
    const at = randomBytes(4).readUInt32LE() % (hostile.length - length);
    randomBytes(length).copy(hostile, at);
    overwrite(file, 0, hostile);
    const header = await native().cryptLoad(file);
    if (header !== null) assert.equal(header.keyslots.length, 1);
  }
});

test("wiping zeroes everything before the data, and nothing behind", async (context) => {
  const { file } = await luksFile(context, ["p", "q"]);
  overwrite(file, 2 * MIB, Buffer.alloc(MIB, "d"));
  assert.equal(await native().cryptWipe(file), true);
  assert.ok(bytesAt(file, 0, 2 * MIB).equals(Buffer.alloc(2 * MIB)));
  assert.ok(bytesAt(file, 2 * MIB, MIB).equals(Buffer.alloc(MIB, "d")));
  assert.equal(await native().cryptWipe(file), false);
  assert.equal(await native().cryptLoad(file), null);
});

test("a header is backed up, and restored also onto an empty device", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const backup = path.join(temporaryFolder(context), "header");
  await native().cryptHeaderBackup(file, backup);
  assert.equal(fs.statSync(backup).size, 2 * COMPACT.metadataSize + COMPACT.keyslotsSize);
  await assert.rejects(native().cryptHeaderBackup(file, backup), { syscall: "crypt_header_backup" });
  await native().cryptAddKeyslot(file, passphrase("p"), passphrase("later"), CHEAP);
  await native().cryptHeaderRestore(file, backup);
  await assert.rejects(native().cryptTest(file, passphrase("later")), { code: "EPERM" });
  const empty = diskFile(context, 4);
  await native().cryptHeaderRestore(empty, backup);
  assert.equal(await native().cryptTest(empty, passphrase("p")), 0);
  await assert.rejects(native().cryptHeaderRestore(empty, `${backup}-none`), {
    syscall: "crypt_header_restore",
  });
});

test("many operations at once take turns", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const other = await luksFile(context, ["q"]);
  const added = await Promise.all(
    Array.from({ length: 4 }, (_, i) =>
      native().cryptAddKeyslot(
        i % 2 === 0 ? file : other.file,
        passphrase(i % 2 === 0 ? "p" : "q"),
        passphrase("n"),
        CHEAP,
      ),
    ),
  );
  assert.deepEqual(added.toSorted(), [1, 1, 2, 2]);
});

test("a file is extended for a header, and its passphrases are good on the device that gets it", async (context) => {
  const folder = temporaryFolder(context);
  const file = path.join(folder, "header");
  fs.writeFileSync(file, Buffer.alloc(4096));
  const volumeKey = await native().cryptFormat(file, { ...COMPACT, ...CHEAP });
  await native().cryptAddKeyslot(file, { volumeKey }, passphrase("p"), CHEAP);
  assert.equal(await native().cryptTest(file, passphrase("p")), 0);
  const device = diskFile(context, 4);
  await native().cryptHeaderRestore(device, file);
  assert.equal(await native().cryptTest(device, passphrase("p")), 0);
});

test("what is no device, or too small for a header, is refused", async (context) => {
  const folder = temporaryFolder(context);
  const none = path.join(folder, "none");
  await assert.rejects(native().cryptLoad(none), failsWith({ code: "ENOENT", target: none }));
  await assert.rejects(native().cryptLoad(folder), { target: folder });
  await assert.rejects(native().cryptFormat(none, COMPACT), { code: "ENOENT" });
  const small = path.join(folder, "small");
  fs.writeFileSync(small, "x");
  await assert.rejects(native().cryptLoad(small), failsWith({ code: "EIO", target: small }));
  fs.truncateSync(small, MIB);
  assert.equal(await native().cryptLoad(small), null);
  await assert.rejects(native().cryptTest(small, passphrase("p")), { code: "ENODATA" });
  for (const change of [
    () => native().cryptAddKeyslot(small, passphrase("p"), passphrase("q"), CHEAP),
    () => native().cryptChangeKeyslot(small, 0, passphrase("p"), passphrase("q"), CHEAP),
    () => native().cryptDestroyKeyslot(small, 0),
    () => native().cryptSetToken(small, 0, "{}"),
    () => native().cryptRemoveToken(small, 0),
    () => native().cryptVolumeKey(small, passphrase("p")),
  ])
    await assert.rejects(change, { code: "ENODATA", message: /no LUKS2 header/ });
});

test("failures tell no passphrase", async (context) => {
  const { file } = await luksFile(context, ["right"]);
  await assert.rejects(native().cryptTest(file, passphrase("TOPSECRET")), (error: Error) => {
    assert.doesNotMatch(`${error.message} ${error.stack ?? ""}`, /TOPSECRET/);
    return true;
  });
});

test("arguments of other kinds are refused by name", async (context) => {
  const { file, volumeKey } = await luksFile(context, []);
  const p = passphrase("p");
  const refused: [string, unknown[], string][] = [
    ["cryptLoad", [], "path"],
    ["cryptLoad", [""], "path"],
    ["cryptLoad", ["a\0b"], "path"],
    ["cryptFormat", [file], "options"],
    ["cryptFormat", [file, { ...COMPACT, metadataSize: "x" }], "options.metadataSize"],
    ["cryptFormat", [file, { ...COMPACT, metadataSize: undefined }], "options.metadataSize"],
    ["cryptFormat", [file, { ...COMPACT, keyslotsSize: -1 }], "options.keyslotsSize"],
    ["cryptFormat", [file, { ...COMPACT, dataOffsetSectors: 34816 }], "options.dataOffsetSectors"],
    ["cryptFormat", [file, { ...COMPACT, sectorSize: 1.5 }], "options.sectorSize"],
    ["cryptFormat", [file, { ...COMPACT, volumeKeyBytes: 0 }], "options.volumeKeyBytes"],
    ["cryptFormat", [file, { ...COMPACT, uuid: 5 }], "options.uuid"],
    ["cryptGenerateVolumeKey", [0], "bytes"],
    ["cryptGenerateVolumeKey", [513], "bytes"],
    ["cryptWipe", [7], "path"],
    ["cryptHeaderBackup", [file, ""], "file"],
    ["cryptHeaderRestore", [file, null], "file"],
    ["cryptVolumeKey", [file, {}], "unlock"],
    ["cryptTest", [file, { token: "first" }], "unlock.token"],
    ["cryptTest", [file, { token: 32 }], "unlock.token"],
    ["cryptTest", [file, { token: 1, ...p }], "unlock"],
    ["cryptTest", [file, { token: 1, keyslot: 1 }], "unlock"],
    ["cryptTest", [file, { ...p, keyslot: 32 }], "unlock.keyslot"],
    ["cryptTest", [file, { ...p, keyDescription: "k" }], "unlock"],
    ["cryptAddKeyslot", [file, { volumeKey: {} }, p], "authorisation.volumeKey"],
    ["cryptAddKeyslot", [file, { volumeKey: { ...volumeKey } }, p], "authorisation.volumeKey"],
    ["cryptAddKeyslot", [file, { volumeKey: Buffer.alloc(64) }, p], "authorisation.volumeKey"],
    ["cryptAddKeyslot", [file, { volumeKey }, "p"], "added"],
    ["cryptAddKeyslot", [file, { volumeKey }, { passphrase: Buffer.alloc(513) }], "added.passphrase"],
    ["cryptAddKeyslot", [file, { volumeKey }, p, { keyslot: -1 }], "options.keyslot"],
    ["cryptAddKeyslot", [file, { volumeKey }, p, { unbound: 1 }], "options.unbound"],
    ["cryptAddKeyslot", [file, { volumeKey }, p, { pbkdf: {} }], "options.pbkdf.type"],
    ["cryptAddKeyslot", [file, { volumeKey }, p, { pbkdf: { type: "pbkdf2" } }], "options.pbkdf.iterations"],
    ["cryptChangeKeyslot", [file, null, p, p], "keyslot"],
    ["cryptChangeKeyslot", [file, 0, {}, p], "before"],
    ["cryptChangeKeyslot", [file, 0, p, {}], "after"],
    ["cryptDestroyKeyslot", [file, "0"], "keyslot"],
    ["cryptSetToken", [file, 33, "{}"], "token"],
    ["cryptSetToken", [file, 0, {}], "json"],
    ["cryptSetToken", [file, 0, ""], "json"],
    ["cryptRemoveToken", [file, undefined], "token"],
  ];
  for (const [name, args, target] of refused) {
    const call = callUntyped(native(), name, ...args);
    await assert.rejects(call, failsWith({ code: "EINVAL", syscall: name, target }), `${name} ${target}`);
  }
  const wipe: unknown = Reflect.get(volumeKey, "wipe");
  assert.ok(typeof wipe === "function");
  assert.throws(
    () => {
      Reflect.apply(wipe, {}, []);
    },
    failsWith({ code: "EINVAL", syscall: "VolumeKey.wipe" }),
  );
});
