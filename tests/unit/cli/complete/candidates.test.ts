/** Which candidates the grammar gives for a word, with names of a machine in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { completionOf, type Candidate, type LiveNames } from "../../../../cli/complete/candidates";
import { positionOf } from "../../../../cli/complete/position";
import { rootCommand } from "../../../../cli/parser/root";

const named = (...words: string[]): Promise<Candidate[]> =>
  Promise.resolve(words.map((word) => ({ word, description: "" })));

const LIVE: LiveNames = {
  pools: () => named("data", "vault"),
  poolUuids: () => named("uuid-of-pool"),
  stoppedPools: () => named("backup"),
  stoppedPoolUuids: () => named("uuid-of-backup"),
  filesystems: (pool) => (pool === "data" ? named("www", "home") : named("all")),
  filesystemUuids: () => named("uuid-of-filesystem"),
  blockDevices: () => named("/dev/sdb"),
  blockDeviceUuids: () => named("uuid-of-device"),
  freeDevices: () => named("/dev/sdx", "/dev/sdy"),
  keys: () => named("k1"),
};

async function words(line: string): Promise<string[] | "files"> {
  const typed = line.split(" ");
  const position = positionOf(rootCommand, typed.slice(0, -1), typed.at(-1) ?? "");
  if (position === null) return [];
  const found = await completionOf(position, LIVE);
  return found === "files" ? found : found.map(({ word }) => word);
}

test("commands, without the deprecated ones", async () => {
  assert.deepEqual(await words("po"), ["pool"]);
  assert.deepEqual(await words("pool enc"), ["encryption"]);
  assert.deepEqual(await words("pool bi"), []);
  assert.deepEqual(await words("pool crypt bind "), ["nbde", "tpm2", "keyring"]);
  assert.deepEqual(await words("nonsense "), []);
});

test("options that may still be given", async () => {
  assert.deepEqual(await words("pool stop --na"), ["--name"]);
  assert.deepEqual(await words("pool stop --name data --u"), []);
  assert.deepEqual(await words("pool list --stopped --s"), []);
  assert.ok((await words("--print")).length === 0, "hidden");
  const after = await words("pool stop ");
  assert.ok(after.includes("--name") && after.includes("--json"));
  assert.deepEqual(await words("fs create data a -- --"), []);
});

test("names of what there is", async () => {
  const cases: [string, string[]][] = [
    ["pool destroy ", ["data", "vault"]],
    ["pool rename d", ["data"]],
    ["pool rename data ", []],
    ["pool stop --name ", ["data", "vault"]],
    ["pool stop --name=v", ["--name=vault"]],
    ["pool start --name ", ["backup"]],
    ["pool start --uuid ", ["uuid-of-backup"]],
    ["pool list --stopped --name ", ["backup"]],
    ["pool bind keyring vault ", ["k1"]],
    ["pool create new ", ["/dev/sdx", "/dev/sdy"]],
    ["pool create new /dev/sdx ", ["/dev/sdy"]],
    ["pool add-data data /dev/sdy ", ["/dev/sdx"]],
    ["fs destroy data ", ["www", "home"]],
    ["fs destroy data www ", ["home"]],
    ["fs snapshot data h", ["home"]],
    ["fs snapshot data home ", []],
    ["fs list data --name ", ["www", "home"]],
    ["fs debug get-object-path --name ", ["all"]],
    ["pool extend-data data --device-uuid ", ["uuid-of-device"]],
    ["key unset ", ["k1"]],
    ["key set ", []],
    ["pool create --key-desc ", ["k1"]],
  ];
  for (const [line, expected] of cases) {
    const found = await words(line);
    assert.ok(found !== "files", line);
    assert.deepEqual(
      found.filter((word) => !word.startsWith("--") || word.includes("=")),
      expected,
      line,
    );
  }
});

test("choices, columns and files", async () => {
  assert.deepEqual(await words("pool start --unlock-method "), ["any", "clevis", "keyring"]);
  assert.deepEqual(await words("pool create p --clevis=t"), ["--clevis=tang", "--clevis=tpm2"]);
  assert.deepEqual(await words("pool explain W"), ["WS001", "WDS002", "WC001", "WC002"]);
  assert.deepEqual(await words("report en"), ["engine_state_report"]);
  assert.deepEqual(await words("fs --columns na"), ["name"]);
  assert.deepEqual(await words("fs list --columns name,crea"), ["name,created"]);
  assert.deepEqual(await words("fs list --columns name,na"), []);
  assert.deepEqual(await words("pool list --stopped --columns cl"), ["clevis"]);
  assert.equal(await words("key set k --keyfile-path /etc/"), "files");
  assert.equal(await words("pool create p /dev/disk/by-id/"), "files");
});

test("any words are completed or left alone", async () => {
  const known = [
    "pool",
    "list",
    "--name",
    "--name=",
    "--columns",
    "fs",
    "destroy",
    "data",
    "--",
    "-",
    "-n",
    "--also",
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constantFrom(...known), fc.string()), { minLength: 1 }),
      async (typed) => {
        const position = positionOf(rootCommand, typed.slice(0, -1), typed.at(-1) ?? "");
        if (position === null) return;
        const found = await completionOf(position, LIVE);
        if (found === "files") return;
        for (const { word } of found) assert.ok(word.startsWith(typed.at(-1) ?? ""), word);
      },
    ),
    { numRuns: 500 },
  );
});
