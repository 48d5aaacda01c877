/** The main job, step by step, each with the command that does it. Any step that fails ends the demonstration. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { GIB, Guest, MIB } from "./harness/guest";
import { connectTo } from "./harness/lines";

/**
 * The first disk is chosen so that its pool starts a little above the low-water mark (15 GiB free): some hundred MiB
 * of data cross it.
 */
const DISKS = [
  { serial: "first", sizeBytes: 16.5 * GIB },
  { serial: "second", sizeBytes: 12 * GIB },
] as const;
const FIRST = "/dev/disk/by-id/virtio-first";
const SECOND = "/dev/disk/by-id/virtio-second";
const LIMIT_SECONDS = 900;
const GROWTH_MILLISECONDS = 60_000;
const LOOK_MILLISECONDS = 300;
const SHELL_LIMIT_SECONDS = 24 * 3600;

interface Step {
  say: string;
  commands: string[];
}

const POOL_STATUS = "dmsetup status --target thin-pool";

const STEPS: readonly Step[] = [
  {
    say: "The daemon, started by systemd, under the system bus",
    commands: ["systemctl start stratisd", "stratis daemon version"],
  },
  {
    say: "A pool and a filesystem",
    commands: [`stratis pool create demo ${FIRST}`, "stratis filesystem create demo data"],
  },
  {
    say: "Data on it",
    commands: [
      "mkdir -p /mnt/data && mount /dev/stratis/demo/data /mnt/data",
      "head -c 200M /dev/urandom > /mnt/data/holiday.mov",
      "sha256sum /mnt/data/holiday.mov | tee /root/sums",
    ],
  },
  {
    say: "A snapshot; then the file is lost in the origin, and found in the snapshot",
    commands: [
      "stratis filesystem snapshot demo data data-monday",
      "rm /mnt/data/holiday.mov",
      "mkdir -p /mnt/monday && mount /dev/stratis/demo/data-monday /mnt/monday",
      "cp /mnt/monday/holiday.mov /mnt/data/ && sha256sum --check /root/sums",
      "umount /mnt/monday",
      "stratis filesystem list",
    ],
  },
  {
    say: "The daemon is restarted; the mounted filesystem takes no notice",
    commands: ["systemctl restart stratisd", "sha256sum --check /root/sums", "stratis pool list"],
  },
  {
    say: "The pool gets a second disk, and uses it when the first falls below the low-water mark",
    commands: [
      `stratis pool add-data demo ${SECOND}`,
      `${POOL_STATUS}   # behind 0 NNN/NNN: data blocks of 1 MiB, used/all`,
      "dd if=/dev/zero of=/mnt/data/more bs=1M count=800 conv=fsync status=none",
      POOL_STATUS,
      "journalctl --quiet --no-pager -o cat -u stratisd | grep -i -E 'extend|low.water' | tail -n 3",
      "sha256sum --check /root/sums",
      "stratis pool list",
    ],
  },
];

const TEAR_DOWN: Step = {
  say: "Everything is destroyed; nothing is left of it in the kernel or on the disks",
  commands: [
    "umount /mnt/data",
    "stratis filesystem destroy demo data data-monday",
    "stratis pool destroy demo",
    "dmsetup ls",
    `wipefs ${FIRST} ${SECOND}`,
  ],
};

/** Until the thin pool has more blocks than the first disk: the daemon extends it on the kernel's event. */
async function waitForGrowth(guest: Guest): Promise<void> {
  const end = Date.now() + GROWTH_MILLISECONDS;
  const blocksOfFirst = DISKS[0].sizeBytes / MIB;
  for (;;) {
    const status = await guest.mustExec(POOL_STATUS);
    const all = / thin-pool \d+ \d+\/\d+ \d+\/(\d+) /.exec(status)?.[1];
    if (Number(all) > blocksOfFirst) return;
    if (Date.now() > end)
      throw new Error(
        `The pool had not grown ${GROWTH_MILLISECONDS} ms after the data was written: ${status}`,
      );
    await sleep(LOOK_MILLISECONDS);
  }
}

async function show(guest: Guest, step: Step): Promise<void> {
  const seconds = Math.round(process.uptime());
  process.stdout.write(`\n── ${step.say}   [${seconds} s]\n`);
  for (const command of step.commands) {
    process.stdout.write(`# ${command}\n`);
    if (command === POOL_STATUS) await waitForGrowth(guest);
    await guest.mustExec(`set -o pipefail; ${command}`, {
      onOutput: (text) => process.stdout.write(text),
    });
  }
}

/** Connects this terminal with a shell on the guest's console until it ends. */
async function giveShell(guest: Guest): Promise<void> {
  const { stdin, stdout } = process;
  process.stdout.write("\nA shell in the guest, as root, the daemon running. exit ends it and the guest.\n");
  const console = await connectTo(guest.consoleSocket, 10_000, () => undefined);
  console.on("data", (chunk) => stdout.write(chunk));
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on("data", (chunk: Buffer) => console.write(chunk));
  const size = `rows ${stdout.rows || 24} cols ${stdout.columns || 80}`;
  const term = process.env["TERM"] ?? "vt100";
  try {
    const shell = guest.exec(
      // Held open all along: a terminal forgets its size when the last of its users closes it.
      `{ stty sane ${size}; cd /root; TERM=${term} setsid --ctty --wait bash -il; } < /dev/ttyS0 > /dev/ttyS0 2>&1`,
      { timeoutMs: SHELL_LIMIT_SECONDS * 1000 },
    );
    // Input that ends (a script, a closed terminal) ends the shell as exit does.
    await Promise.race([shell, once(stdin, "end")]);
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    console.destroy();
  }
}

async function main(withShell: boolean): Promise<void> {
  const started = Date.now();
  process.stdout.write("Booting a guest: a Debian with two blank disks…\n");
  const guest = await Guest.boot({
    disks: DISKS,
    limitSeconds: withShell ? SHELL_LIMIT_SECONDS : LIMIT_SECONDS,
  });
  try {
    for (const step of STEPS) await show(guest, step);
    if (withShell) await giveShell(guest);
    else await show(guest, TEAR_DOWN);
  } finally {
    await guest.shutdown();
  }
  process.stdout.write(
    `\nDone in ${((Date.now() - started) / 1000).toFixed(0)} s. The guest is gone, and its disks.\n`,
  );
}

main(process.argv.includes("--shell")).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
