/** The Debian package, as Debian's own checker sees it. On a machine without it there is nothing here to be run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { buildPackage, temporary } from "./support";

const LINTIAN = "/usr/bin/lintian";
const TIMEOUT_MS = 300_000;
const [folder, remove] = temporary();
after(remove);

if (existsSync(LINTIAN))
  test("lintian has no error and no warning but what is overridden", () => {
    // Judged here: with --fail-on it takes those that are overridden for found, once they are shown.
    const args = ["--allow-root", "--fail-on=none", "--show-overrides", buildPackage(folder)];
    const ran = spawnSync(LINTIAN, args, { encoding: "utf8", timeout: TIMEOUT_MS });
    if (ran.error !== undefined) throw ran.error;
    assert.equal(ran.status, 0, ran.stderr);
    const lines = ran.stdout.split("\n");
    assert.deepEqual(
      lines.filter((line) => /^[EW]: /.test(line)),
      [],
    );
    // It has looked: this it always finds.
    assert.ok(
      lines.includes("O: stratis-node: statically-linked-binary [usr/lib/udev/stratis-str-cmp]"),
      ran.stdout,
    );
  });
