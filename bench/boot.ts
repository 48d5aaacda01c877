/**
 * How long a boot takes to have 12 filesystems of 3 pools mounted, from the daemon's start on: ours, and stratisd 3.9.2 in
 * its place where STRATIS_UPSTREAM names the folder of its sources, built for Debian 13 (target/release/stratisd).
 * Everything else is the same: the guest, the pools, the lines of /etc/fstab, and, as stratisd's own are not built there, the
 * helpers of udev.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../tests/vm/harness/image";
import {
  bootMachine,
  endMachine,
  installPackage,
  machine,
  makePools,
  addToFstab,
  mountedAt,
  POOLS,
  reboot,
  settled,
  sh,
  snapshotMade,
  timeOf,
  waitLonger,
} from "../tests/vm/harness/user-machine";
import { median } from "./median";
import { heading, row } from "./table";
import { UPSTREAM_STAGED } from "../tests/vm/guest/upstream";
import { stageUpstream, upstreamSources } from "../tests/vm/harness/upstream";

const BOOTS = Number(process.env["STRATIS_BENCH_BOOTS"] ?? 3);
const FILESYSTEMS_EACH = 4;

/** By which the journal tells that the daemon began with what an earlier one had left for it. */
const FROM_SNAPSHOT = "This start was from the snapshot";

interface Boot {
  /** Seconds from the start of the daemon. */
  readonly ready: number;
  readonly mounted: number;
}

/** One boot. */
async function measureBoot(): Promise<Boot> {
  await reboot();
  const begin = await timeOf("stratisd", "ExecMainStart");
  const mounted = await Promise.all(POOLS.map((pool) => mountedAt(pool, FILESYSTEMS_EACH)));
  if (mounted.some((time) => time < begin)) throw new Error("Not all filesystems were mounted");
  return {
    ready: (await timeOf("stratisd", "ActiveEnter")) - begin,
    mounted: Math.max(...mounted) - begin,
  };
}

async function origin(): Promise<string> {
  const { status } = await machine().exec(`journalctl -q -b -u stratisd | grep -q '${FROM_SNAPSHOT}'`);
  return status === 0 ? " (from its snapshot)" : "";
}

async function measure(who: string): Promise<Boot> {
  const boots: Boot[] = [];
  for (let round = 1; round <= BOOTS; round += 1) {
    const boot = await measureBoot();
    boots.push(boot);
    process.stderr.write(
      `${who}, boot ${round}${await origin()}: ready ${boot.ready.toFixed(2)} s, mounted ${boot.mounted.toFixed(2)} s\n`,
    );
  }
  return {
    ready: median(boots.map(({ ready }) => ready)),
    mounted: median(boots.map(({ mounted }) => mounted)),
  };
}

/** Puts stratisd 3.9.2, its unit and its rules where ours are. */
async function installUpstream(sources: string): Promise<void> {
  stageUpstream(sources);
  const folder = path.join(PROJECT, UPSTREAM_STAGED);
  const unit = readFileSync(path.join(sources, "systemd/stratisd.service.in"), "utf8");
  writeFileSync(path.join(folder, "stratisd.service"), unit.replaceAll("@LIBEXECDIR@", "/usr/libexec"));
  copyFileSync(path.join(sources, "udev/61-stratisd.rules"), path.join(folder, "61-stratisd.rules"));
  // Beside the old file, and in its place at once: the daemon's is in use.
  await sh(
    `cd /project/${UPSTREAM_STAGED} && install -m 755 stratisd /usr/libexec/.new && mv /usr/libexec/.new /usr/libexec/stratisd && ` +
      "install -m 644 stratisd.service /usr/lib/systemd/system/ && install -m 644 61-stratisd.rules /usr/lib/udev/rules.d/ && " +
      "systemctl daemon-reload && udevadm control --reload",
  );
}

function print(ours: Boot, upstream: Boot | null): void {
  const lines = [
    heading("3.9.2"),
    row("boot: daemon start → bus name, 3 pools set up", "s", ours.ready, upstream?.ready ?? null),
    row("boot: daemon start → 12 filesystems mounted", "s", ours.mounted, upstream?.mounted ?? null),
  ];
  process.stdout.write(`\n${lines.join("\n")}\n\nMedians of ${BOOTS} boots of the same guest.\n`);
}

async function main(): Promise<void> {
  const sources = upstreamSources();
  process.stderr.write("Booting the guest, installing the package…\n");
  await bootMachine();
  try {
    await settled();
    await installPackage();
    await addToFstab(
      await makePools(FILESYSTEMS_EACH, () => "defaults,nofail,x-systemd.after=stratisd.service"),
    );
    await waitLonger();
    await snapshotMade();
    const ours = await measure("this");
    print(ours, null);
    if (sources === null) return;
    await installUpstream(sources);
    print(ours, await measure("3.9.2"));
  } finally {
    await endMachine();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
