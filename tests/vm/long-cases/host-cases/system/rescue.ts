/** Steps: a rescue by stratisd-min and stratis-min, where neither stratisd nor a message bus is. */
import assert from "node:assert/strict";
import { GIB } from "../../../harness/guest";
import {
  active,
  AS_NOBODY,
  DEVICE,
  machine,
  POOLS,
  settled,
  sh,
  until,
  uuidOf,
} from "../../../harness/user-machine";
import { step } from "./step";

const MIN = "stratisd-min-postinitrd";
const FOUND_SECONDS = 120;

/** An encrypted pool that is stopped, whose passphrase is in /root/key. Returns its UUID. */
async function lockedPool(): Promise<string> {
  await machine().plug({ serial: "locked", sizeBytes: 12 * GIB });
  await sh("printf 'open sesame' > /root/key && stratis key set --keyfile-path /root/key word");
  await sh(
    `stratis pool create --key-desc word locked ${DEVICE}-locked && stratis filesystem create locked fs`,
  );
  const uuid = await uuidOf("locked");
  await sh("mount /dev/stratis/locked/fs /mnt && echo kept > /mnt/name && umount /mnt");
  await sh("stratis pool stop --name=locked && stratis key unset word");
  return uuid;
}

const says = async (command: string): Promise<string> => (await sh(`stratis-min ${command}`)).trim();

async function answers(id: string): Promise<Record<string, string>> {
  const questions = ["is-stopped", "is-encrypted", "has-passphrase", "is-bound"];
  const pairs: [string, string][] = [];
  for (const question of questions) pairs.push([question, await says(`pool ${question} ${id}`)]);
  return Object.fromEntries(pairs);
}

async function withoutBus(locked: string): Promise<void> {
  await sh(`systemctl start ${MIN}`);
  for (const pool of POOLS) await until(`stratis-min pool | grep -q '^${pool} '`, FOUND_SECONDS);
  const pools = await says("pool");
  for (const pool of POOLS)
    assert.match(pools, new RegExp(`^${pool} +12\\.00 GiB / .* ~Ca,~Cr +[0-9a-f-]{36}`, "m"));
  const filesystems = await says("filesystem");
  for (const pool of POOLS)
    assert.match(filesystems, new RegExp(`^${pool} +fs1 .*/dev/stratis/${pool}/fs1 `, "m"));

  // A pool without passphrase, and a filesystem in it.
  await says("pool stop --name stopped");
  assert.equal(await says("pool is-stopped --name stopped"), "true");
  await says("pool start --name stopped");
  assert.equal(await says("pool is-stopped --name stopped"), "false");
  await says("filesystem create stopped new");
  await until("[ -b /dev/stratis/stopped/new ]", FOUND_SECONDS);
  await says("filesystem rename stopped new newer");
  await until("[ -b /dev/stratis/stopped/newer ] && [ ! -e /dev/stratis/stopped/new ]", FOUND_SECONDS);
  assert.equal(await says("filesystem origin stopped newer"), "None");
  await says("filesystem destroy stopped newer");

  // An encrypted one, by a key in the keyring, then by what is typed.
  const known = { "is-encrypted": "true", "has-passphrase": "true", "is-bound": "false" };
  assert.deepEqual(await answers(locked), { "is-stopped": "true", ...known });
  const refused = await machine().exec(`stratis-min pool start --token-slot any ${locked}`);
  assert.equal(refused.status, 1, "there is no key yet");
  await says("key set --keyfile-path /root/key word");
  assert.match(await says("key"), /^word *$/m);
  await says(`pool start --token-slot any ${locked}`);
  assert.deepEqual(await answers(locked), { "is-stopped": "false", ...known });
  await says(`pool stop ${locked}`);
  await says("key unset word");
  await sh(
    `printf 'wrong\\n' | stratis-min pool start --token-slot any --prompt ${locked} && exit 1 || exit 0`,
  );
  await sh(`printf 'open sesame\\n' | stratis-min pool start --token-slot any --prompt ${locked}`);
  await until("[ -b /dev/stratis/locked/fs ]", FOUND_SECONDS);
  assert.equal(await sh("mount /dev/stratis/locked/fs /mnt && cat /mnt/name"), "kept\n");
  const report = JSON.parse(await says("report")) as { pools: { name: string }[] };
  const names = report.pools.map(({ name }) => name);
  for (const pool of [...POOLS, "locked"]) assert.ok(names.includes(pool), names.join(" "));
}

export function rescueSteps(): void {
  step(
    "a rescue in emergency mode: stratisd-min has the pools, and hands them over when the boot goes on",
    async () => {
      const locked = await lockedPool();
      await machine().powerOff();
      await machine().bootAgain({ kernelArguments: "systemd.unit=emergency.target" });
      assert.equal(await active("emergency.target"), "active");
      assert.equal(await active("dbus"), "inactive");
      assert.equal(await active("dbus.socket"), "inactive");
      await withoutBus(locked);
      await sh("systemctl --no-block default");
      await until("systemctl is-active -q stratisd", FOUND_SECONDS * 5);
      await settled();
      assert.equal(await active(MIN), "inactive", "stratisd has ended it");
      assert.match(await sh("stratis pool list"), /^locked /m);
      assert.equal(await sh("cat /mnt/name && echo more > /mnt/more"), "kept\n", "mounted all the time");
      assert.equal(await sh("cat /data/early1/name"), "early\n");
      await sh("umount /mnt && stratis filesystem destroy locked fs && stratis pool destroy locked");
    },
  );

  step("one daemon at a time, and its socket is root's", async () => {
    await sh(`systemctl stop stratisd && systemctl start ${MIN}`);
    const second = await machine().exec("/usr/libexec/stratisd-min");
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^Error: "Daemon already running with supposed pid: \d+"$/m);
    const nobody = await machine().exec(`${AS_NOBODY} stratis-min pool`);
    assert.equal(nobody.status, 1);
    assert.match(nobody.stderr, /Permission denied \(os error 13\)/);
    await sh("systemctl start stratisd");
    assert.equal(await active(MIN), "inactive");
    const late = await machine().exec("/usr/libexec/stratisd-min");
    assert.equal(late.status, 1);
    assert.match(late.stderr, /stratisd is already running with supposed pid: \d+/);
    assert.match(await sh("stratis pool list"), /^plain /m);
  });
}
