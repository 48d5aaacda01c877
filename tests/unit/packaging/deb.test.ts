/** The Debian package: what is in it, and that its programs run from where it puts them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { packageRoot } from "../../../src/native";
import { buildPackage, contents, controlFields, output, temporary } from "./support";

const [folder, remove] = temporary();
const tree = path.join(folder, "tree");
const MANIFEST = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8")) as {
  version: string;
  bin: Record<string, string>;
};
const COMMANDS = Object.keys(MANIFEST.bin).filter((name) => !/^stratisd(-min)?$/.test(name));
const LARGEST_KIB = 15 * 1024;

let deb = "";
before(() => {
  deb = buildPackage(folder);
  output("dpkg-deb", ["--extract", deb, tree]);
});
after(remove);

test("the control file says what the package is and needs", () => {
  const fields = controlFields(deb);
  assert.equal(fields.get("Package"), "stratis-node");
  assert.match(fields.get("Version") ?? "", new RegExp(`^${MANIFEST.version.replaceAll(".", "\\.")}-\\d+$`));
  assert.equal(fields.get("Architecture"), output("dpkg", ["--print-architecture"]).trim());
  const needed = (fields.get("Depends") ?? "").split(", ").map((item) => item.replace(/ .*/, ""));
  const programs = ["dbus", "dmsetup", "nodejs", "thin-provisioning-tools", "udev", "xfsprogs"];
  const libraries = [
    "libblkid1",
    "libc6",
    "libcryptsetup12",
    "libgcc-s1",
    "libstdc++6",
    "libudev1",
    "zlib1g",
  ];
  // Newer distributions have names with a suffix for the size of time_t.
  assert.deepEqual(needed.map((name) => name.replace(/t64$/, "")).sort(), [...programs, ...libraries].sort());
  assert.match(fields.get("Recommends") ?? "", /\bclevis\b/);
  const size = Number(fields.get("Installed-Size"));
  assert.ok(size > 1000 && size <= LARGEST_KIB, `${size} KiB`);
  assert.ok(readFileSync(deb).length < 5 * 1024 ** 2);
});

test("files are where the system looks for them, root's, and nobody else can write to them", () => {
  const files = contents(deb);
  for (const [name, { mode, owner }] of files) {
    assert.equal(owner, "root/root", name);
    if (!mode.startsWith("l")) assert.doesNotMatch(mode, /^.(.{4}w|.{7}w)/, name);
  }
  const plain = [
    "usr/share/dbus-1/system.d/stratisd.conf",
    "usr/lib/udev/rules.d/61-stratisd.rules",
    "usr/lib/systemd/system/stratisd.service",
    "usr/lib/systemd/system/stratisd-min-postinitrd.service",
    "usr/lib/systemd/system/dev-stratis-.device.d/10-stratis.conf",
    "usr/lib/systemd/system/stratis-metrics.service",
    "usr/lib/systemd/system/stratis-metrics.timer",
    "usr/lib/systemd/system/stratis-fstab-setup@.service",
    "usr/lib/systemd/system/stratis-fstab-setup-with-network@.service",
    "usr/share/doc/stratis-node/copyright",
    "usr/share/doc/stratis-node/changelog.Debian.gz",
    "usr/lib/stratis-node/package.json",
    "usr/lib/stratis-node/build/Release/stratis_native.node",
    "usr/lib/stratis-node/dist/bin/stratisd.js",
    "usr/lib/stratis-node/dist/bin/stratisd-min.js",
    "usr/share/bash-completion/completions/stratis",
    "usr/share/zsh/vendor-completions/_stratis",
    "usr/share/fish/vendor_completions.d/stratis.fish",
    ...["stratisd", "stratisd-min", ...COMMANDS].map((name) => `usr/share/man/man8/${name}.8.gz`),
  ];
  for (const name of plain) assert.equal(files.get(name)?.mode, "-rw-r--r--", name);
  const programs = [
    "usr/lib/systemd/stratis-fstab-setup",
    "usr/lib/udev/stratis-str-cmp",
    "usr/lib/udev/stratis-base32-decode",
    "usr/lib/stratis-node/build/Release/stratisd",
    "usr/lib/stratis-node/build/Release/stratisd-min",
    ...COMMANDS.map((name) => `usr/lib/stratis-node/dist/bin/${name}.js`),
  ];
  for (const name of programs) assert.equal(files.get(name)?.mode, "-rwxr-xr-x", name);
  for (const name of ["stratisd", "stratisd-min"])
    assert.equal(files.get(`usr/libexec/${name}`)?.target, `../lib/stratis-node/build/Release/${name}`);
  for (const name of COMMANDS)
    assert.equal(files.get(`usr/bin/${name}`)?.target, `../lib/stratis-node/dist/bin/${name}.js`);
  assert.ok(![...files.keys()].some((name) => name.includes("node_modules") || name.endsWith(".ts")));
});

test("every file of the package has its checksum", () => {
  output("sh", [
    "-c",
    'cd "$1" && dpkg-deb --ctrl-tarfile "$2" | tar -xO ./md5sums | md5sum --check --quiet',
    "sh",
    tree,
    deb,
  ]);
});

test("the copyright file has the licence of everything that was bundled", () => {
  const text = readFileSync(path.join(tree, "usr/share/doc/stratis-node/copyright"), "utf8");
  assert.match(text, /^Files: \*\nCopyright: .*\nLicense: MPL-2\.0$/m);
  for (const name of ["winston", "commander", "dbus-next", "node-addon-api", "lossless-json"])
    assert.match(text, new RegExp(`^Files: node_modules/${name}/\\*\nCopyright:\n (?!the authors)`, "m"));
  assert.ok(!text.includes("Files: node_modules/typescript/"));
});

test("commands run Node.js from where its package puts it", () => {
  for (const name of COMMANDS)
    assert.match(readFileSync(path.join(tree, "usr/bin", name), "utf8"), /^#!\/usr\/bin\/node\n/);
});

test("every command runs from the unpacked package", () => {
  const run = (name: string, ...args: string[]): string =>
    output(process.execPath, [path.join(tree, "usr/bin", name), ...args]);
  assert.equal(run("stratis", "--version"), `${MANIFEST.version}\n`);
  assert.match(run("stratis", "pool", "--help"), /^usage: stratis pool/);
  for (const name of COMMANDS) assert.match(run(name, "--help"), new RegExp(`[Uu]sage: ${name} `));
  for (const name of ["stratisd", "stratisd-min"])
    assert.equal(
      output(path.join(tree, "usr/libexec", name), ["--version"], { STRATIS_NODE: process.execPath }),
      `${name} ${MANIFEST.version}\n`,
    );
});

test("the simulator serves from the unpacked package when nothing in it can be written", () => {
  const user = process.geteuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const script = path.join(packageRoot, "tests/unit/packaging/run-tree.sh");
  const namespaces = [...user, "--mount", "--mount-proc", "--pid", "--fork", "--kill-child"];
  const printed = output("unshare", [...namespaces, "sh", script, tree, process.execPath]);
  const [client, daemon, , pool, ...told] = printed.trim().split("\n");
  assert.deepEqual([client, daemon], [MANIFEST.version, MANIFEST.version]);
  assert.match(pool ?? "", /^data +\d/);
  const exit = ["STOPPING=1", "STATUS=Waiting for operations to end"];
  assert.deepEqual(told.slice(0, 5), ["READY=1", "WATCHDOG=1", "STATUS=1 pool", ...exit]);
  const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
  const entry =
    `MESSAGE=CreatePool: created pool data with uuid (${uuid}) on /dev/sim\n` +
    "PRIORITY=6\nSYSLOG_IDENTIFIER=stratisd\nTARGET=stratisd::stratis::ipc_support::dbus_support\n" +
    "OPERATION=CreatePool\nPOOL_UUID=\\1";
  const record =
    "MESSAGE=CreatePool of pool data, block device /dev/sim, asked for by stratis \\(uid 0, pid (\\d+)\\): ok after (\\d+) ms\n" +
    "PRIORITY=6\nSYSLOG_IDENTIFIER=stratisd\nTARGET=stratisd::history\n" +
    "STRATIS_CALLER_UID=0\nSTRATIS_CALLER_PID=\\2\nSTRATIS_CALLER_COMM=stratis\n" +
    "STRATIS_INTERFACE=org.storage.stratis3.Manager.r9\nOPERATION=CreatePool\n" +
    "STRATIS_OBJECT=pool data, block device /dev/sim\nSTRATIS_POOL=data\nPOOL_UUID=\\1\n" +
    "STRATIS_RESULT=ok\nSTRATIS_DURATION_MS=\\3";
  assert.match(
    told.slice(5).join("\n"),
    new RegExp(`^${entry}\n\n${record}$`),
    "in the journal, and nothing beside it",
  );
  assert.ok(!existsSync(path.join(tree, "written")));
});

const MACROS: Record<string, string> = {
  _bindir: "usr/bin",
  _libexecdir: "usr/libexec",
  _prefix: "usr",
  _unitdir: "usr/lib/systemd/system",
  _datadir: "usr/share",
  _mandir: "usr/share/man",
  _docdir: "usr/share/doc",
  name: "stratis-node",
};

test("the RPM's list has all that is installed, and nothing else", () => {
  const spec = readFileSync(path.join(packageRoot, "packaging/stratis-node.spec"), "utf8");
  assert.match(spec, new RegExp(`^Version: +${MANIFEST.version.replaceAll(".", "\\.")}$`, "m"));
  const patterns = (/^%files\n(.*?)\n\n/ms.exec(spec)?.[1] ?? "")
    .split("\n")
    .map((line) =>
      line.replace(/^%\w+ /, "").replace(/%\{(\w+)\}/g, (whole, macro: string) => MACROS[macro] ?? whole),
    );
  const onlyDebian = /lintian|changelog\.Debian/;
  const files = [...contents(deb)]
    .filter(([name, { mode }]) => !mode.startsWith("d") && !onlyDebian.test(name))
    .map(([name]) => name.replace("zsh/vendor-completions", "zsh/site-functions"));
  const covers = (pattern: string, file: string): boolean =>
    pattern.endsWith("/")
      ? file.startsWith(pattern)
      : new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(file);
  assert.deepEqual(
    files.filter((file) => !patterns.some((pattern) => covers(pattern, file))),
    [],
  );
  assert.deepEqual(
    patterns.filter((pattern) => !files.some((file) => covers(pattern, file))),
    [],
  );
});
