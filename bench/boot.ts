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

const FILES = [
  "usr/libexec/stratisd",
  "usr/lib/systemd/system/stratisd.service",
  "usr/lib/udev/rules.d/61-stratisd.rules",
];

type Who = "this" | "3.9.2";
/** In the guest: what it takes to put one of them in the place of the other. */
const folderOf = (who: Who): string => `/root/daemons/${who}`;

async function keepOurs(): Promise<void> {
  await sh(`mkdir -p ${folderOf("this")} && cd / && cp -a --parents ${FILES.join(" ")} ${folderOf("this")}`);
}

/** stratisd 3.9.2, its unit and its rules. */
async function keepUpstream(sources: string): Promise<void> {
  stageUpstream(sources);
  const folder = path.join(PROJECT, UPSTREAM_STAGED);
  const unit = readFileSync(path.join(sources, "systemd/stratisd.service.in"), "utf8");
  writeFileSync(path.join(folder, "stratisd.service"), unit.replaceAll("@LIBEXECDIR@", "/usr/libexec"));
  copyFileSync(path.join(sources, "udev/61-stratisd.rules"), path.join(folder, "61-stratisd.rules"));
  for (const file of FILES) {
    const mode = file.endsWith("/stratisd") ? "755" : "644";
    await sh(
      `cd /project/${UPSTREAM_STAGED} && install -D -m ${mode} ${path.basename(file)} ${folderOf("3.9.2")}/${file}`,
    );
  }
}

/** The daemon that runs keeps its files. */
const put = (who: Who): Promise<string> =>
  sh(
    `cp -a --remove-destination ${folderOf(who)}/. / && systemctl daemon-reload && udevadm control --reload`,
  );

async function measure(who: Who, round: number): Promise<Boot> {
  const boot = await measureBoot();
  process.stderr.write(
    `${who}, boot ${round}${await origin()}: ready ${boot.ready.toFixed(2)} s, mounted ${boot.mounted.toFixed(2)} s\n`,
  );
  return boot;
}

const middle = (boots: readonly Boot[]): Boot => ({
  ready: median(boots.map(({ ready }) => ready)),
  mounted: median(boots.map(({ mounted }) => mounted)),
});

function print(ours: Boot, upstream: Boot | null): void {
  const lines = [
    heading("3.9.2"),
    row("boot: daemon start → bus name, 3 pools set up", "s", ours.ready, upstream?.ready ?? null),
    row("boot: daemon start → 12 filesystems mounted", "s", ours.mounted, upstream?.mounted ?? null),
  ];
  process.stdout.write(
    `\n${lines.join("\n")}\n\nMedians of ${BOOTS} boots of each, in turn, of the same guest.\n`,
  );
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
    await keepOurs();
    if (sources !== null) await keepUpstream(sources);
    const ours: Boot[] = [];
    const upstream: Boot[] = [];
    // In turn, so that a machine that becomes slower is slower for both.
    for (let round = 1; round <= BOOTS; round += 1) {
      ours.push(await measure("this", round));
      if (sources === null) continue;
      await put("3.9.2");
      upstream.push(await measure("3.9.2", round));
      await put("this");
    }
    print(middle(ours), sources === null ? null : middle(upstream));
  } finally {
    await endMachine();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
