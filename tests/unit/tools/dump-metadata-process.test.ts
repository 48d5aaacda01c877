/** The program stratis-dumpmetadata on files with the content of devices. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Folder, upstreamDumps } from "./images";
import { runProgram, type Ran } from "./run";

const folder = new Folder();
after(() => {
  folder.remove();
});

const run = (...words: string[]): Promise<Ran> => runProgram("stratis-dumpmetadata", words);

async function fails(code: number, message: string, ...words: string[]): Promise<void> {
  const ran = await run(...words);
  assert.equal(ran.stdout, "", words.join(" "));
  assert.ok(ran.stderr.includes(message), `${words.join(" ")}: "${message}" is not in:\n${ran.stderr}`);
  assert.equal(ran.code, code, words.join(" "));
}

test("disks of a golden pool", async () => {
  for (const [index, stdout] of upstreamDumps("v2_two").entries()) {
    const disk = folder.disk(`v2_two-disk${index + 1}`);
    assert.deepEqual(await run(disk), { code: 0, stdout, stderr: "" });
  }
});

test("the metadata only, for each version", async () => {
  for (const disk of ["v1_plain-disk1", "v2_cache-disk1"]) {
    const { code, stdout, stderr } = await run("--only", "pool", folder.disk(disk));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.equal((JSON.parse(stdout) as { name: string }).name, "golden");
  }
});

test("bytes are printed for both spellings of the option", async () => {
  const disk = folder.disk("v2_plain-disk1");
  const short = await run("-b", disk);
  assert.match(short.stdout, /\nLength: 512 \(0x200\) bytes\n/);
  assert.deepEqual(await run(disk, "--print-bytes"), short);
});

test("what is no device of Stratis's", async () => {
  await fails(
    1,
    "No valid Stratis signature found\n",
    "--only=pool",
    folder.write("text", "hello\n".repeat(1000)),
  );
  await fails(1, "Error opening device: ", "--only=pool", "/nonexistent");
  await fails(1, "Error opening device: ", "--only=pool", "/dev/zero");
  await fails(1, "Error opening device: ", "--only=pool", "/");
  await fails(1, "No valid StaticHeader found: ", "--only=pool", folder.write("empty", ""));
});

test("wrong command lines", async () => {
  await fails(2, "<dev>");
  await fails(2, "possible values: pool", "--only=bda", "/dev/zero");
  await fails(2, "unexpected argument '-p'", "-p", "/dev/zero");
});

test("help and version", async () => {
  assert.match((await run("--help")).stdout, /Usage: stratis-dumpmetadata/);
  assert.deepEqual(await run("-V"), { code: 0, stdout: "stratis-dumpmetadata 3.9.2\n", stderr: "" });
});
