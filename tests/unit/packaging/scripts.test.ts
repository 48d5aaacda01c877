/** What the package's scripts do to a system, on one that is made up: its services are programs that write down calls. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { packageRoot } from "../../../src/native";
import { output, temporary } from "./support";

const [folder, remove] = temporary();
const fakes = path.join(folder, "bin");
const calls = path.join(folder, "calls");

/** Of the fakes' arguments, one makes them fail: the one that the environment names. */
const FAKE = `#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case " $* " in
    *" $FAILS "*) exit 1 ;;
esac
`;

before(() => {
  mkdirSync(fakes);
  for (const name of ["deb-systemd-helper", "deb-systemd-invoke", "systemctl", "udevadm", "dbus-send"]) {
    writeFileSync(path.join(fakes, name), FAKE);
    chmodSync(path.join(fakes, name), 0o755);
  }
});
after(remove);

const RUNNING = "mkdir -p systemd/system udev dbus && : > udev/control && : > dbus/system_bus_socket";

interface Wanted {
  /** Shell commands that make what is in /run. */
  run?: string;
  /** The argument that services fail at. */
  fails?: string;
}

/** Runs a script with an empty /run, /var/log and /var/cache of its own. Returns the calls, and what is there afterwards. */
function run(script: string, args: readonly string[], { run = RUNNING, fails = "-" }: Wanted = {}): string[] {
  writeFileSync(calls, "");
  const user = process.geteuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const prepare = `for folder in /run /var/log /var/cache; do mount -t tmpfs tmpfs $folder; done && cd /run && { ${run}; } && "$@" && find /run /var/log /var/cache`;
  const file = path.join(packageRoot, "packaging/debian", script);
  const left = output("unshare", [...user, "--mount", "sh", "-euc", prepare, "sh", "sh", file, ...args], {
    PATH: `${fakes}:${process.env["PATH"] ?? ""}`,
    CALLS: calls,
    FAILS: fails,
  });
  const made = readFileSync(calls, "utf8").trim();
  return [
    ...(made === "" ? [] : made.split("\n")),
    ...left
      .trim()
      .split("\n")
      .filter((line) => line.includes("stratis")),
  ];
}

const RELOADED = [
  "udevadm control --reload",
  "dbus-send --system --type=method_call --dest=org.freedesktop.DBus / org.freedesktop.DBus.ReloadConfig",
  "systemctl --system daemon-reload",
];
const ENABLED = [
  "deb-systemd-helper unmask stratisd.service",
  "deb-systemd-helper --quiet was-enabled stratisd.service",
  "deb-systemd-helper enable stratisd.service",
  "deb-systemd-helper update-state stratis-metrics.timer",
];

test("installing enables the daemon and starts it, after everything that it needs was reloaded", () => {
  assert.deepEqual(run("postinst", ["configure", ""]), [
    ...ENABLED,
    ...RELOADED,
    "deb-systemd-invoke start stratisd.service",
  ]);
});

test("an upgrade restarts the daemon", () => {
  const made = run("postinst", ["configure", "3.9.1-1"]);
  assert.equal(made.at(-1), "deb-systemd-invoke restart stratisd.service");
  assert.deepEqual(run("prerm", ["upgrade", "3.9.3-1"]), []);
  assert.deepEqual(run("postrm", ["upgrade", "3.9.3-1"]), []);
});

test("a daemon that the administrator has disabled stays disabled", () => {
  const made = run("postinst", ["configure", "3.9.1-1"], { fails: "was-enabled" });
  assert.ok(made.includes("deb-systemd-helper update-state stratisd.service"));
  assert.ok(!made.includes("deb-systemd-helper enable stratisd.service"));
});

test("a service that fails does not fail the installation", () => {
  const made = run("postinst", ["configure", ""], { fails: "start" });
  assert.equal(made.at(-1), "deb-systemd-invoke start stratisd.service");
});

test("nothing is started where systemd, udev and D-Bus do not run", () => {
  assert.deepEqual(run("postinst", ["configure", ""], { run: ":" }), ENABLED);
  assert.deepEqual(run("prerm", ["remove"], { run: ":" }), []);
  assert.deepEqual(run("postrm", ["remove"], { run: ":" }), []);
});

test("removal stops the daemon", () => {
  assert.deepEqual(run("prerm", ["remove"]), [
    "deb-systemd-invoke stop stratis-metrics.timer stratisd.service stratisd-min-postinitrd.service",
  ]);
  const cached = `${RUNNING} && mkdir -p /var/cache/stratis-node && cd /var/cache/stratis-node && touch stratisd.snapshot stratisd.snapshot.parts`;
  assert.deepEqual(run("postrm", ["remove"], { run: cached }), [
    "systemctl --system daemon-reload",
    "udevadm control --reload",
  ]);
});

test("purging leaves nothing behind, and takes nothing of others", () => {
  const used = `mkdir -p stratisd/node stratisd/ns_mounts /var/log/stratis /var/cache/stratis-node && touch /var/cache/stratis-node/stratisd.snapshot.tried && touch /var/log/stratis/history.log && touch stratisd.pid stratisd-min.pid stratisd/stratis-1-private-a-crypt.lock && ln -s /usr/bin/node stratisd/node/stratisd && mkdir stratisd/headers-abc && echo copy > stratisd/headers-abc/0 && chmod 400 stratisd/headers-abc/0`;
  assert.deepEqual(run("postrm", ["purge"], { run: used }), [
    "deb-systemd-helper purge stratisd.service stratis-metrics.timer",
  ]);
  const others = `${used} && touch stratisd/ns_mounts/other /var/log/stratis/other && touch stratisd/busy.lock && exec 9< stratisd-min.pid && flock 9 && exec 8< stratisd/busy.lock && flock 8`;
  assert.deepEqual(run("postrm", ["purge"], { run: others }).sort(), [
    "/run/stratisd",
    "/run/stratisd-min.pid",
    "/run/stratisd/busy.lock",
    "/run/stratisd/ns_mounts",
    "/run/stratisd/ns_mounts/other",
    "/var/log/stratis",
    "/var/log/stratis/other",
    "deb-systemd-helper purge stratisd.service stratis-metrics.timer",
  ]);
});
