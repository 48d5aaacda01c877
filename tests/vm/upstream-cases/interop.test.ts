/**
 * Pools that one of the daemons, ours or stratisd 3.9.2, makes and leaves, and the other one opens, changes and gives
 * back: plain ones, with a cache, encrypted with every kind of binding, encrypted in place, and of metadata version 1.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startTpm, Tang } from "../guest/clevis";
import { disk, wipeDisk } from "../guest/disks";
import { legacyPoolCommand, MAKERS, otherThan, withDaemon, type Maker } from "../guest/upstream";
import { udevSettled } from "../guest/udev";
import {
  callStratis,
  closeBus,
  dmDevices,
  mustRun,
  poolObject,
  poolProperties,
  stratis,
  stratisCommand,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "shared";
const KEY_FILE = "/run/case-key";
const POOL_INTERFACE = "org.storage.stratis3.pool.r9";
const FILE_MIB = 5;
const SMALL = "case-small";
const SMALL_SECTORS = 1.5 * 2 * 1024 * 1024;
/** Properties that one daemon has to read as the other wrote them. */
const SAME = ["Name", "Uuid", "Encrypted", "KeyDescriptions", "ClevisInfos", "HasCache", "MetadataVersion"];
const SAME_SPACE = ["TotalPhysicalSize", "AllocatedSize", "FsLimit", "Overprovisioning"];
const tang = new Tang("/run/case-tang", 8099);
let endTpm: (() => void) | null = null;

/** For the kinds that need one: a kernel in user mode has none. */
async function needTpm(): Promise<void> {
  endTpm ??= await startTpm("/run/case-tpm");
}

before(async () => {
  await writeFile(KEY_FILE, "a key of the keyring");
  await tang.makeKeys();
  await tang.start();
});
after(async () => {
  await unmountAll();
  await stratisCommand("key", "unset", "k");
  await closeBus();
  tang.stop();
  endTpm?.();
});

/** What identifies the pool, and its bindings. */
async function facts(): Promise<Record<string, unknown>> {
  const properties = await poolProperties(POOL);
  return Object.fromEntries([...SAME, ...SAME_SPACE].map((name) => [name, properties[name]]));
}

async function call(member: string, signature: string, body: unknown[]): Promise<void> {
  const { path } = await poolObject(POOL);
  const { code, message } = await callStratis(path, POOL_INTERFACE, member, signature, body);
  assert.equal(code, 0, `${member}: ${message}`);
}

const bindClevis = (pin: string, config: object): Promise<void> =>
  call("BindClevis", "ss(bu)", [pin, JSON.stringify(config), [false, 0]]);
const ofTang = (): object => ({ url: tang.url, "stratis:tang:trust_url": true });

interface Kind {
  /** What makes it, while its maker runs. */
  make: (maker: Maker) => Promise<void>;
  encrypted: boolean;
}

const create = async (...options: string[]): Promise<void> => {
  await stratis("pool", "create", ...options, POOL, await disk("d0"));
};

/** Makes a pool of metadata version 1 beside the daemon, which takes it over. */
async function createLegacy(maker: Maker, ...options: string[]): Promise<void> {
  const command = [legacyPoolCommand(maker), POOL, await disk("d0"), ...options];
  await mustRun("sh", ["-c", `echo Yes | ${command.join(" ")}`]);
  await until(
    "the daemon takes the pool over",
    async () => (await stratisCommand("pool", "list", "--name", POOL)).status === 0,
  );
}

const KINDS: Record<string, Kind> = {
  plain: { encrypted: false, make: () => create() },
  "plain, with a cache": {
    encrypted: false,
    make: async () => {
      await create();
      await stratis("pool", "init-cache", POOL, await disk("d1"));
    },
  },
  "bound to a key and to tang": {
    encrypted: true,
    make: async () => {
      await create("--key-desc", "k");
      await bindClevis("tang", ofTang());
    },
  },
  "bound to a TPM": {
    encrypted: true,
    make: async () => {
      await needTpm();
      await create("--clevis", "tpm2");
    },
  },
  "bound to tang and a TPM, both needed, by sss": {
    encrypted: true,
    make: async () => {
      await needTpm();
      await create("--key-desc", "k");
      const tangPin = { url: tang.url, thp: await tang.thumbprint() };
      await bindClevis("sss", { t: 2, pins: { tang: tangPin, tpm2: {} } });
      await call("UnbindKeyring", "(bu)", [[false, 0]]);
    },
  },
  "of version 1": { encrypted: false, make: (maker) => createLegacy(maker) },
  "of version 1, bound to a key and to tang": {
    encrypted: true,
    make: async (maker) => {
      await createLegacy(maker, "--key-desc", "k", "--clevis", "tang", "--tang-url", tang.url, "--trust-url");
    },
  },
};
/** stratisd 3.9.2 can't do this with the cryptsetup of Debian 13. */
const OURS_ONLY: Record<string, Kind> = {
  "encrypted in place": {
    encrypted: true,
    make: async () => {
      // A small one, because all of it is rewritten.
      await mustRun("dmsetup", [
        "create",
        SMALL,
        "--table",
        `0 ${SMALL_SECTORS} linear ${await disk("d0")} 0`,
      ]);
      await udevSettled();
      await stratis("pool", "create", POOL, `/dev/mapper/${SMALL}`);
      await call("EncryptPool", "a((bu)s)a((bu)ss)", [[[[false, 0], "k"]], []]);
    },
  },
};

/** 3.9.2 answers before udev has made the links of filesystems. */
const linked = (filesystem: string): Promise<void> =>
  until(`the link of ${filesystem}`, () => Promise.resolve(existsSync(`/dev/stratis/${POOL}/${filesystem}`)));

const start = async ({ encrypted }: Kind): Promise<void> => {
  await stratis("pool", "start", "--name", POOL, ...(encrypted ? ["--unlock-method", "any"] : []));
  await linked("home");
};

const stop = async (): Promise<void> => {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
};

/** Takes down what a case that failed may have left, and makes the disks as good as new. */
async function beginAnew(): Promise<void> {
  await unmountAll();
  await mustRun("dmsetup", ["remove_all", "--retry"]);
  for (const serial of ["d0", "d1", "d2"]) await wipeDisk(await disk(serial));
}

const filesystems = async (): Promise<string[]> =>
  (await stratis("filesystem", "list", POOL, "--no-header", "--columns=name")).trim().split(/\s+/).sort();

function thereAndBack(name: string, kind: Kind, maker: Maker): void {
  test(`${name}: made by ${maker}, changed by ${otherThan(maker)}, and given back`, async () => {
    await beginAnew();
    const kept = new KeptFile(POOL, "home");
    let made: Record<string, unknown> = {};
    await withDaemon(maker, async () => {
      // The keyring keeps what an earlier case has set.
      await stratisCommand("key", "unset", "k");
      await stratis("key", "set", "--keyfile-path", KEY_FILE, "k");
      await kind.make(maker);
      await stratis("filesystem", "create", POOL, "home", "--size", "600MiB");
      await linked("home");
      await kept.write(FILE_MIB);
      await unmountAll();
      made = await facts();
      await stop();
    });
    await withDaemon(otherThan(maker), async () => {
      await start(kind);
      assert.deepEqual(await facts(), made);
      await kept.mountAndCompare();
      await stratis("filesystem", "snapshot", POOL, "home", "copy");
      await stratis("filesystem", "create", POOL, "other", "--size", "600MiB");
      await stratis("pool", "add-data", POOL, await disk("d2"));
      await stop();
    });
    await withDaemon(maker, async () => {
      await start(kind);
      assert.deepEqual(await filesystems(), ["copy", "home", "other"]);
      await kept.mountAndCompare();
      await unmountAll();
      await stratis("filesystem", "destroy", POOL, "copy", "home", "other");
      await stratis("pool", "destroy", POOL);
      assert.deepEqual(await dmDevices(), []);
    });
  });
}

for (const [name, kind] of Object.entries(KINDS)) for (const maker of MAKERS) thereAndBack(name, kind, maker);
for (const [name, kind] of Object.entries(OURS_ONLY)) thereAndBack(name, kind, "ours");
