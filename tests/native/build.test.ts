/** Both ways of building the addon work without a network, and make one that loads. Takes a minute. */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { packageRoot } from "../../src/native";

let folder = "";

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "stratis-build-"));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Node's own headers, if they are installed; else the tools look for them in their caches. */
function nodeHeaders(): string | undefined {
  const beside = path.resolve(process.execPath, "..", "..");
  return [beside, "/usr"].find((root) => existsSync(path.join(root, "include", "node", "node_api.h")));
}

/** A tool of the project's own, run in `directory`. */
function build(directory: string, tool: string, ...args: string[]): void {
  const headers = nodeHeaders();
  const env = { ...process.env };
  if (headers !== undefined) env["npm_config_nodedir"] = headers;
  // A sanitizer in this process is none of the compiler's business.
  delete env["LD_PRELOAD"];
  execFileSync(path.join(packageRoot, "node_modules", ".bin", tool), args, {
    cwd: directory,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Loads an addon in a process of its own and returns the names of what it exports. */
function exportsOf(file: string): string[] {
  const script = `console.log(JSON.stringify(Object.entries(require(${JSON.stringify(file)}))
    .map(([name, value]) => name + " " + typeof value)))`;
  const output = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
  return (JSON.parse(output) as string[]).sort();
}

const contract = [
  ...["dmCall", "dmSequence", "dmControlFd", "dmParseNameList", "dmParseTargets", "dmParseDeps"],
  ...["FdPoll", "UdevMonitor", "udevEnumerate", "udevBlockDevice", "requestUevent"],
  ...[
    "UnixSocket",
    "UnixListener",
    "sendDatagram",
    "pipeWith",
    "readSecret",
    "secretFrom",
    "randomPassphrase",
    "onLibraryMessage",
    "closeDescriptor",
  ],
  ...["keyringSet", "keyringUnset", "keyringHas", "keyringList", "volumeKeyHas", "volumeKeyUnset"],
  ...["cryptLoad", "cryptFormat", "cryptWipe", "cryptHeaderBackup", "cryptHeaderRestore"],
  ...["cryptGenerateVolumeKey", "cryptVolumeKey", "cryptTest"],
  ...[
    "cryptActivate",
    "cryptLoadTable",
    "cryptLoadVolumeKey",
    "cryptDeactivate",
    "cryptStatus",
    "cryptResize",
  ],
  ...["cryptReencryptBegin", "cryptReencryptRun"],
  ...["cryptAddKeyslot", "cryptChangeKeyslot", "cryptDestroyKeyslot", "cryptSetToken", "cryptRemoveToken"],
  ...["openBlockFile", "blkidProbe", "mount", "unmount", "makeMountSlave", "statFs"],
  ...["run", "replaceFile", "removeFile", "appendToFile", "lockFile"],
].map((name) => `${name} function`);

/** What `npm run build:native` makes, before any test runs. */
const release = path.join(packageRoot, "build", "Release");

test("cmake-js builds the addon and the programs", () => {
  assert.deepEqual(exportsOf(path.join(release, "stratis_native.node")), contract.toSorted());
  for (const program of ["stratisd", "stratisd-min", "stratis-base32-decode", "stratis-str-cmp"])
    assert.ok(existsSync(path.join(release, program)), `${program} is missing`);
});

test("udev's helpers need no libraries", () => {
  for (const helper of ["stratis-base32-decode", "stratis-str-cmp"]) {
    const segments = execFileSync("readelf", ["--program-headers", path.join(release, helper)], {
      encoding: "utf8",
    });
    assert.doesNotMatch(segments, /INTERP/);
  }
});

test("node-gyp builds the addon", () => {
  // node-gyp always builds in "build" of its directory, which is the other one's place.
  const copy = path.join(folder, "gyp");
  for (const part of ["native", "binding.gyp", "package.json"])
    cpSync(path.join(packageRoot, part), path.join(copy, part), { recursive: true });
  symlinkSync(path.join(packageRoot, "node_modules"), path.join(copy, "node_modules"));
  // Without the optimizer, which takes most of the time and says nothing about the build.
  build(copy, "node-gyp", "rebuild", "--debug", "--jobs", "2");
  const addon = path.join(copy, "build", "Debug", "stratis_native.node");
  assert.deepEqual(exportsOf(addon), contract.toSorted());
});
