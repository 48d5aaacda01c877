/** The programs stratis-checkmetadata, stratis-printmetadata and stratisd-tools. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RECORD_V1, RECORD_V2, RECORD_V2_CACHE } from "../disk/vectors";
import { Folder } from "./images";
import { programFile, run, runProgram, type Ran } from "./run";

const folder = new Folder();
after(() => {
  folder.remove();
});

const SILENCE = { code: 0, stdout: "", stderr: "" };
const BOTH = ["stratis-checkmetadata", "stratis-printmetadata"];

async function fails(program: string, code: number, message: string, ...words: string[]): Promise<void> {
  const ran = await runProgram(program, words);
  assert.equal(ran.stdout, "", words.join(" "));
  assert.ok(
    ran.stderr.startsWith(message),
    `${words.join(" ")}: "${message}" does not begin:\n${ran.stderr}`,
  );
  assert.equal(ran.code, code, words.join(" "));
}

test("good metadata", async () => {
  const file = folder.write("good", RECORD_V2_CACHE);
  assert.deepEqual(await runProgram("stratis-checkmetadata", [file]), SILENCE);
  const { code, stdout, stderr } = await runProgram("stratis-printmetadata", [file]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^Thinpool specification:\n[^]*\n3: Use: meta_dev .* sectors\n$/);
});

test("what stratis-dumpmetadata prints can be checked, through a pipe too", async () => {
  const [dump, check] = [programFile("stratis-dumpmetadata"), programFile("stratis-checkmetadata")];
  const script = '"$1" --only=pool "$2" | "$3" /dev/stdin';
  assert.deepEqual(
    await run("/bin/sh", ["-c", script, "sh", dump, folder.disk("v2_two-disk1"), check]),
    SILENCE,
  );
});

test("bad metadata: all that is wrong, a line each", async () => {
  const bad = RECORD_V2.replace("[[0,34816]]", "[[8,34816]]").replace(
    "[[20381688,589832]]",
    "[[20381688,589831]]",
  );
  const { code, stdout, stderr } = await runProgram("stratis-checkmetadata", [folder.write("bad", bad)]);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^Error: Device 5e1f4c3a-.*\nCrypt metadata has .*\n$/);
  // It can still be looked at.
  assert.equal((await runProgram("stratis-printmetadata", [folder.write("bad", bad)])).code, 0);
});

test("metadata of version 1", async () => {
  const file = folder.write("v1", RECORD_V1);
  await fails("stratis-checkmetadata", 1, "Error: No allocations for crypt metadata", file);
});

test("what is not metadata", async () => {
  for (const program of BOTH) {
    await fails(program, 1, "Error parsing json into structs: ", folder.write("text", "hello"));
    await fails(program, 1, "Error parsing json into structs: ", folder.write("list", "[]"));
    await fails(
      program,
      1,
      "Error parsing json into structs: ",
      folder.write("latin1", Buffer.from([0x22, 0xe9, 0x22])),
    );
    await fails(program, 1, "Error opening file: ", "/nonexistent");
    await fails(program, 1, "Error opening file: ", "/");
  }
});

test("a device is not read to its end, which may never come", async () => {
  for (const program of BOTH)
    await fails(program, 1, 'Error opening file: "/dev/zero": it has more than 4194304 bytes', "/dev/zero");
});

test("deep nesting", async () => {
  const file = folder.write("deep", `${"[".repeat(1 << 21)}${"]".repeat(1 << 21)}`);
  await fails("stratis-checkmetadata", 1, "Error parsing json into structs: ", file);
});

test("command lines", async () => {
  for (const program of BOTH) {
    await fails(program, 2, "error: the following required arguments were not provided:\n  <file>\n");
    await fails(program, 2, "error: unexpected argument 'b' found\n", "a", "b");
    assert.match((await runProgram(program, ["-h"])).stdout, new RegExp(`Usage: ${program} <file>`));
    assert.equal((await runProgram(program, ["--version"])).stdout, `${program} 3.9.2\n`);
  }
});

test("stratisd-tools runs the tool that is named", async () => {
  const file = folder.write("good", RECORD_V2);
  const ran = await runProgram("stratisd-tools", ["stratis-printmetadata", file]);
  assert.deepEqual(ran, await runProgram("stratis-printmetadata", [file]));
  assert.deepEqual(await runProgram("stratisd-tools", ["/usr/bin/stratis-checkmetadata", file]), SILENCE);
  assert.equal((await runProgram("stratisd-tools", ["stratis-dumpmetadata", "--help"])).code, 0);
  await fails("stratisd-tools", 2, "error: the following required", "stratis-dumpmetadata");
});

test("stratisd-tools is the tool whose name a link to it bears", async () => {
  const file = folder.write("good", RECORD_V2);
  const linked = (name: string, ...words: string[]): Promise<Ran> =>
    run(folder.link(name, programFile("stratisd-tools")), words);
  assert.deepEqual(
    await linked("stratis-printmetadata", file),
    await runProgram("stratis-printmetadata", [file]),
  );
  assert.match((await linked("stratis-legacy-pool", "--help")).stdout, /^Usage: stratis-legacy-pool /m);
  // Of the link's own name, and no tool is looked for in its arguments.
  const unknown = { code: 2, stdout: "", stderr: "Unknown executable name unknown\n" };
  assert.deepEqual(await linked("unknown", "stratis-printmetadata", file), unknown);
  const own = await linked("stratisd-tools", "stratis-printmetadata", "--version");
  assert.deepEqual(own, { ...SILENCE, stdout: "stratis-printmetadata 3.9.2\n" });
});

test("stratisd-tools itself", async () => {
  await fails("stratisd-tools", 2, "Runs one of a set of stratisd tools\n");
  await fails("stratisd-tools", 2, "Unknown executable name notasub\n", "notasub");
  await fails("stratisd-tools", 2, "error: unexpected argument '--notanoption' found\n", "--notanoption");
  assert.deepEqual(await runProgram("stratisd-tools", ["-V"]), {
    ...SILENCE,
    stdout: "stratisd-tools 3.9.2\n",
  });
  const { code, stdout } = await runProgram("stratisd-tools", ["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /\n\nExecutables:\n\* stratis-dumpmetadata\n/);
});
