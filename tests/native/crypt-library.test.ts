/** Whose functions libcryptsetup calls when the addon is loaded as the daemon loads it. */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { CHEAP, COMPACT, diskFile } from "./crypt-support";
import { temporaryFolder } from "./support";

test("libcryptsetup computes with the OpenSSL that it was built for, not with Node's", (context) => {
  const output = path.join(temporaryFolder(context), "bindings");
  const script = `
    const { native } = require(${JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native", "index.js"))});
    native().cryptFormat(${JSON.stringify(diskFile(context, 4))}, {
      metadataSize: ${COMPACT.metadataSize}, keyslotsSize: ${COMPACT.keyslotsSize},
      pbkdf: ${JSON.stringify(CHEAP.pbkdf)},
    }).then((key) => { key.wipe(); });`;
  const env: NodeJS.ProcessEnv = { ...process.env, LD_DEBUG: "bindings", LD_DEBUG_OUTPUT: output };
  // Under a sanitizer the libraries can't be kept apart; the daemon has none.
  delete env["LD_PRELOAD"];
  delete env["STRATIS_NATIVE_BUILD"];
  execFileSync(process.execPath, ["-e", script], { env, timeout: 60_000 });
  const folder = path.dirname(output);
  const lines = fs
    .readdirSync(folder)
    .flatMap((name) => fs.readFileSync(path.join(folder, name), "utf8").split("\n"));
  const bindings = lines.flatMap((line) => {
    const found = /binding file \S*\/([^/ ]+) \[\d+\] to (\S+) .*symbol [`']([^']+)'/.exec(line);
    return found === null ? [] : [{ from: found[1] ?? "", to: found[2] ?? "", symbol: found[3] ?? "" }];
  });
  const own = bindings.filter(({ from }) => /^lib(cryptsetup|crypto)\.so/.test(from));
  assert.ok(
    own.some(({ symbol }) => symbol === "malloc"),
    "no bindings of libcryptsetup were recorded",
  );
  // A name that is not in the addon's list would be looked for everywhere.
  assert.deepEqual(
    bindings.filter(({ from, symbol }) => from.startsWith("stratis_native") && symbol.startsWith("crypt_")),
    [],
  );
  const toNode = own.filter(({ to }) => !to.includes(".so"));
  assert.deepEqual(toNode, []);
});
