/**
 * Pools that stratisd 3.9.2 made, opened by our daemon: everything as it was there, to the last byte of the files; and
 * after operations of ours still in the shape that stratisd writes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import type { Inspection } from "../guest/inspect";
import { GIB, Guest } from "../harness/guest";
import { PROJECT } from "../harness/image";
import { unfoldLuks } from "../harness/luks-unfold";

type Interfaces = Record<string, Record<string, unknown>>;
interface Expected {
  managed_objects_r9: Record<string, Interfaces>;
  dm_table: string[];
  stopped_pools: unknown;
  /** Not recorded of encrypted pools. */
  symlinks?: string[];
  files_sha256: Record<string, Record<string, string>>;
}

const GOLDEN = path.join(PROJECT, "tests", "fixtures", "golden");
/** Some take minutes: npm run test:long sets it. */
const ALL = process.env["STRATIS_GOLDEN"] === "all";
const POOLS: Record<string, string[]> = {
  v2_plain: ["disk1"],
  v2_two: ["disk1", "disk2"],
  ...(ALL ? { v2_cache: ["disk1", "disk2"], v1_plain: ["disk1"] } : {}),
};
/** stratisd was asked to stop it: it must stay so, until it is started. */
const STOPPED = { pool: "v2_stopped", disks: ["disk1"] };
const LONG_MILLISECONDS = 240_000;
const MIB = 1024 * 1024;
/** The three files of alpha. */
const LATE_WRITES_BYTES = 16 * MIB;
const work = mkdtempSync(path.join(tmpdir(), "stratis-golden-"));
let guest: Guest | undefined;

after(async () => {
  await guest?.shutdown();
  rmSync(work, { recursive: true });
});

function unpack(pool: string, disk: string): { serial: string; sizeBytes: number; file: string } {
  const serial = `${pool.replace("_", "-").slice(0, 13)}-${disk}`;
  const file = path.join(work, serial);
  const result = spawnSync(
    "zstd",
    ["-q", "-d", "--sparse", "--long=27", path.join(GOLDEN, pool, `${disk}.img.zst`), "-o", file],
    { encoding: "utf8" },
  );
  assert.equal(result.status, 0, result.stderr);
  return { serial, sizeBytes: statSync(file).size, file };
}

/** Paths of objects and of disks differ from machine to machine; what is left is compared. */
function comparable(objects: Record<string, Interfaces>): string[] {
  const lines: string[] = [];
  for (const interfaces of Object.values(objects))
    for (const [name, properties] of Object.entries(interfaces)) {
      if (!/\.(pool|filesystem|blockdev)\.r9$/.test(name)) continue;
      const kept = Object.entries(properties)
        .filter(([property]) => property !== "Pool" && property !== "TotalPhysicalUsed")
        .filter(([property]) => !(name.includes("blockdev") && /^(Devnode|PhysicalPath)$/.test(property)))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      lines.push(`${name} ${JSON.stringify(kept)}`);
    }
  return lines.sort();
}

/** Bytes in use of the one pool. */
function usedOf(objects: Record<string, Interfaces>): number {
  const pools: (Record<string, unknown> | undefined)[] = Object.values(objects)
    .map((interfaces) => interfaces["org.storage.stratis3.pool.r9"])
    .filter((pool) => pool !== undefined);
  const [known, used] = pools[0]?.["TotalPhysicalUsed"] as [boolean, string];
  assert.ok(known && pools.length === 1);
  return Number(used);
}

/** Numbers of devices are those of the machine. */
const withoutNumbers = (table: readonly string[]): string[] =>
  table.map((line) => line.replace(/\b\d+:\d+\b/g, "M:m").trim()).sort();

before(async () => {
  guest = await Guest.boot({ limitSeconds: 1800 });
  await guest.mustExec("systemctl start stratisd", { timeoutMs: LONG_MILLISECONDS });
});

async function waitForPool(running: Guest): Promise<void> {
  const found = "stratis pool list --name golden > /dev/null 2>&1 && exit 0; sleep 0.5;";
  await running.mustExec(`for i in $(seq 60); do ${found} done; journalctl -u stratisd >&2; exit 1`, {
    timeoutMs: LONG_MILLISECONDS,
  });
}

/** Compares all that the daemon shows of the pool with what stratisd showed. */
async function compare(running: Guest, expected: Expected): Promise<void> {
  const inspected = await running.mustExec("node /project/dist/tests/vm/guest/inspect.js", {
    timeoutMs: LONG_MILLISECONDS,
  });
  const found = JSON.parse(inspected) as Inspection;
  assert.deepEqual(comparable(found.objects), comparable(expected.managed_objects_r9));
  // stratisd's figure is of some seconds before the end: what alpha was given after its snapshot was written later.
  const later = usedOf(found.objects) - usedOf(expected.managed_objects_r9);
  assert.ok(later >= 0 && later <= LATE_WRITES_BYTES && later % MIB === 0, `${later} bytes`);
  assert.deepEqual(withoutNumbers(found.dmTable), withoutNumbers(expected.dm_table));
  const withFiles = Object.entries(found.files).filter(([, files]) => Object.keys(files).length > 0);
  assert.deepEqual(Object.fromEntries(withFiles), expected.files_sha256);
  const links = expected.symlinks?.map((link) => link.replace(/^\.\//, "").replace(/ -> .*$/, ""));
  if (links !== undefined) assert.deepEqual(found.links, links.sort());
}

/** Keys and types of a JSON value, in order; lists by the shapes that occur in them. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shapeOf(item))))];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.entries(value).map(([key, member]) => [key, shapeOf(member)]);
}

const command = (running: Guest, line: string): Promise<string> =>
  running.mustExec(line, { timeoutMs: LONG_MILLISECONDS });

/** Operations of all kinds; then the record on disk has the keys that it had before, in the same order. */
async function operate(running: Guest, extra: string): Promise<void> {
  const written = async (): Promise<unknown> =>
    JSON.parse(await command(running, "stratis pool debug get-metadata --written --name golden"));
  const before = shapeOf(await written());
  await command(running, "stratis pool rename golden other && stratis pool rename other golden");
  await command(running, "stratis filesystem snapshot golden alpha another");
  await command(running, `stratis pool add-data golden /dev/disk/by-id/virtio-${extra}`);
  await command(running, "stratis pool stop --name golden && stratis pool start --name golden");
  await command(running, "mount -o ro /dev/stratis/golden/another /mnt && umount /mnt");
  await command(running, "stratis filesystem destroy golden another");
  assert.deepEqual(shapeOf(await written()), before);
}

const expectedOf = (pool: string): Expected =>
  JSON.parse(readFileSync(path.join(GOLDEN, pool, "expected.json"), "utf8")) as Expected;

for (const [pool, names] of Object.entries(POOLS))
  test(`${pool} is set up as stratisd showed it, its files have the same content, and it can be worked on`, async () => {
    assert.ok(guest !== undefined);
    const disks = names.map((disk) => unpack(pool, disk));
    for (const disk of disks) await guest.plug(disk);
    await waitForPool(guest);
    await compare(guest, expectedOf(pool));
    const extra = { serial: `${pool.replace("_", "-").slice(0, 12)}-extra`, sizeBytes: 2 * GIB };
    await guest.plug(extra);
    await operate(guest, extra.serial);
    // The next pool has the same name.
    await command(guest, "stratis pool stop --name golden");
    for (const { serial } of [...disks, extra]) await guest.unplug(serial);
  });

test("a pool that stratisd was asked to stop is listed, stays so, and starts with its content", async () => {
  assert.ok(guest !== undefined);
  const { files_sha256: files } = expectedOf(STOPPED.pool);
  const disks = STOPPED.disks.map((disk) => unpack(STOPPED.pool, disk));
  for (const disk of disks) await guest.plug(disk);
  await command(
    guest,
    "for i in $(seq 60); do stratis pool list --stopped | grep -q golden && exit 0; sleep 0.5; done; exit 1",
  );
  assert.doesNotMatch(await command(guest, "stratis pool list"), /golden/);
  await command(guest, "stratis pool start --name golden");
  const inspected = await command(guest, "node /project/dist/tests/vm/guest/inspect.js");
  const found = (JSON.parse(inspected) as Inspection).files;
  for (const [filesystem, hashes] of Object.entries(files)) assert.deepEqual(found[filesystem], hashes);
  await command(guest, "stratis pool stop --name golden");
  for (const { serial } of disks) await guest.unplug(serial);
});

/** What a bus client is shown of a stopped pool's encryption. */
interface StoppedPool {
  key_description?: unknown;
  clevis_info?: unknown;
  features: unknown;
  metadata_version: unknown;
}

const ENCRYPTED = ["v2_key_tang", ...(ALL ? ["v1_key"] : [])];
for (const name of ENCRYPTED)
  test(`${name} is locked, lists its bindings, and opens by its key only`, async () => {
    assert.ok(guest !== undefined);
    const expected = expectedOf(name);
    const disk = unpack(name, "disk1");
    unfoldLuks(path.join(GOLDEN, name), disk.file);
    await guest.plug(disk);
    const listed =
      "for i in $(seq 60); do stratis pool list --stopped | grep -q golden && exit 0; sleep 0.5; done; exit 1";
    await command(guest, listed);
    assert.deepEqual(await stoppedPool(guest), stoppedOf(expected));
    const wrong = await guest.exec("stratis pool start --name golden", { timeoutMs: LONG_MILLISECONDS });
    assert.notEqual(wrong.status, 0);
    const key = `/project/tests/fixtures/golden/${name}/key`;
    await command(guest, `stratis key set --keyfile-path ${key} golden-key`);
    await command(guest, "stratis pool start --name golden --unlock-method any");
    await compare(guest, expected);
    await command(guest, "stratis pool stop --name golden");
    assert.deepEqual(await stoppedPool(guest), stoppedOf(expected));
    assert.equal(await command(guest, "dmsetup ls | grep stratis || true"), "");
    await command(guest, "stratis key unset golden-key");
    await guest.unplug(disk.serial);
  });

/** The one stopped pool, as the daemon shows it. */
async function stoppedPool(running: Guest): Promise<StoppedPool> {
  const inspected = await command(running, "node /project/dist/tests/vm/guest/inspect.js --stopped");
  return onlyOne(JSON.parse(inspected) as Record<string, StoppedPool>);
}

const stoppedOf = ({ stopped_pools: pools }: Expected): StoppedPool =>
  onlyOne(pools as Record<string, StoppedPool>);

function onlyOne(pools: Record<string, StoppedPool>): StoppedPool {
  const [pool, ...others] = Object.values(pools);
  assert.ok(pool !== undefined && others.length === 0);
  // Paths are those of the machine.
  const { key_description, clevis_info, features, metadata_version } = pool;
  return { key_description, clevis_info, features, metadata_version };
}
