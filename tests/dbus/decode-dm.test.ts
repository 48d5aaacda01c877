/** The program stratis-decode-dm on a bus (system.md §21.1). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runProgram, type Ran } from "../unit/tools/run";
import { useHarness } from "./cli-support/harness";
import { DATA_UUID, managedObjects, sampleObjects, variant, WWW_UUID } from "./cli-support/world";
import type { Answer } from "./cli-support/fake";

const harness = useHarness();
const PATH = `/dev/mapper/stratis-1-${DATA_UUID}-thin-fs-${WWW_UUID}`;

const run = (...words: string[]): Promise<Ran> =>
  runProgram("stratis-decode-dm", words, { DBUS_SYSTEM_BUS_ADDRESS: harness().address });

function answering(answer: Answer): void {
  harness().fake.reset((_, member) => (member === "GetManagedObjects" ? answer : undefined));
}

async function fails(code: number, message: string, ...words: string[]): Promise<void> {
  const ran = await run(...words);
  assert.equal(ran.stdout, "", words.join(" "));
  assert.ok(ran.stderr.includes(message), `${words.join(" ")}: "${message}" is not in:\n${ran.stderr}`);
  assert.equal(ran.code, code, words.join(" "));
}

test("names and link of a filesystem", async () => {
  answering(managedObjects(sampleObjects()));
  assert.deepEqual(await run(PATH, "--output=filesystem-name"), { code: 0, stdout: "www\n", stderr: "" });
  assert.deepEqual(await run(PATH, "--output=pool-name"), { code: 0, stdout: "data\n", stderr: "" });
  const link = await run("--output", "symlink", PATH);
  assert.deepEqual(link, { code: 0, stdout: "/dev/stratis/data/www\n", stderr: "" });
  const [call] = harness().fake.calls;
  assert.deepEqual(call, {
    path: "/org/storage/stratis3",
    member: "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
    signature: "",
    body: [],
  });
});

test("a filesystem that stratisd does not know", async () => {
  answering(managedObjects({}));
  const message = "Error: Name for filesystem with UUID 17101e39-e72e-423c-90d8-be5cb37c055b not found\n";
  await fails(1, message, PATH, "--output=filesystem-name");
});

test("stratisd fails, or sends something else", async () => {
  const message = "Error: Unable to retrieve Stratis information from the D-Bus: ";
  answering({ error: "org.freedesktop.DBus.Error.Failed", message: "not today" });
  await fails(1, `${message}not today`, PATH, "--output=symlink");
  const objects = { "/x": { "org.storage.stratis3.pool.r9": { Uuid: variant("u", 1) } } };
  answering(managedObjects(objects));
  await fails(1, "Error: stratisd sent 1 where a string was expected", PATH, "--output=symlink");
});

test("without stratisd, and without a bus", async () => {
  const message = "Error: Unable to retrieve Stratis information from the D-Bus: ";
  const env = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent" };
  const ran = await runProgram("stratis-decode-dm", [PATH, "--output=symlink"], env);
  assert.equal(ran.code, 1);
  assert.ok(ran.stderr.startsWith(message), ran.stderr);
});

test("paths that can't be decoded", async () => {
  await fails(1, "error decomposing", "/dev/scrapper/name", "--output=filesystem-name");
  await fails(1, 'devicemapper name "name"', "/dev/mapper/name", "--output=filesystem-name");
});

test("wrong command lines", async () => {
  await fails(2, "--output <output>\n  <path>");
  await fails(2, "must be specified as an absolute path", "./dev/mapper/name", "--output=pool-name");
  await fails(2, "possible values: filesystem-name, pool-name, symlink", PATH, "--output=filesystem-size");
  await fails(2, "--output <output>", PATH);
  await fails(2, "unexpected argument", PATH, PATH, "--output=symlink");
});

test("help", async () => {
  const { code, stdout, stderr } = await run("--help");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /Usage: stratis-decode-dm/);
});
