/** The units, as systemd's own tools see them. On a machine without these tools there is nothing here to be run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { after, test } from "node:test";
import { native, packageRoot } from "../../../src/native";
import { temporary } from "./support";

const ANALYZE = "/usr/bin/systemd-analyze";
const UNITS = path.join(packageRoot, "systemd");
const TIMEOUT_MS = 60_000;
/** Tenths of systemd's points. The units say what they can't do without; more should have a reason too. */
const MOST_EXPOSED = {
  "stratisd.service": 56,
  "stratisd-min-postinitrd.service": 56,
  "stratis-metrics.service": 20,
};

const [folder, remove] = temporary();
after(remove);

/** Units whose programs are all there: each is a script in the folder that bears its name. */
function unitsOfInstalled(): string[] {
  const names = readdirSync(UNITS).filter((name) => /\.(service|timer)$/.test(name));
  mkdirSync(path.join(folder, "units"));
  return names.map((name) => {
    const text = readFileSync(path.join(UNITS, name), "utf8").replace(
      /(?<=^Exec\w+=)\/usr\/\S*\/([^/\s]+)/gm,
      (_, program: string) => {
        const file = path.join(folder, program);
        writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
        return file;
      },
    );
    const file = path.join(folder, "units", name.replace("@.", "@17101e39-e72e-423c-90d8-be5cb37c055b."));
    writeFileSync(file, text);
    writeFileSync(path.join(folder, "units", name), text);
    return file;
  });
}

function analyze(...args: string[]): { status: number | null; text: string } {
  const env = { ...process.env, SYSTEMD_UNIT_PATH: `${path.join(folder, "units")}:`, SYSTEMD_COLORS: "0" };
  const { status, stdout, stderr, error } = spawnSync(ANALYZE, args, {
    encoding: "utf8",
    env,
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) throw error;
  return { status, text: `${stdout}${stderr}` };
}

if (existsSync(ANALYZE)) {
  test("systemd finds nothing wrong with the units", () => {
    const units = unitsOfInstalled();
    assert.ok(units.length > 0);
    const { status, text } = analyze("verify", "--man=no", "--recursive-errors=no", ...units);
    assert.deepEqual({ status, text }, { status: 0, text: "" });
  });

  for (const [name, most] of Object.entries(MOST_EXPOSED))
    test(`${name} is no more exposed than it argues`, () => {
      const args = ["--offline=true", "--no-pager", `--threshold=${most}`, path.join(UNITS, name)];
      const { status, text } = analyze("security", ...args);
      assert.equal(status, 0, text);
    });
}

test("the daemon's unit has what clients and scripts rely on", () => {
  const lines = readFileSync(path.join(UNITS, "stratisd.service"), "utf8").split("\n");
  for (const line of [
    "Type=dbus",
    "BusName=org.storage.stratis3",
    "ExecStart=/usr/libexec/stratisd --log-level debug",
    "KillSignal=SIGINT",
    "DefaultDependencies=no",
    "After=multi-user.target",
    "WantedBy=multi-user.target",
  ])
    assert.ok(lines.includes(line), line);
});

test("stratisd-min's unit is skipped while stratisd has its lock, whatever its pid file says", () => {
  const text = readFileSync(path.join(UNITS, "stratisd-min-postinitrd.service"), "utf8");
  const [program, ...args] = (/^ExecCondition=(.*)$/m.exec(text)?.[1] ?? "").split(" ");
  assert.ok(program !== undefined && args.includes("/run/stratisd.pid"), text);
  const file = path.join(folder, "stratisd.pid");
  const statusOf = (): number | null =>
    spawnSync(
      program,
      args.map((arg) => (arg === "/run/stratisd.pid" ? file : arg)),
      { timeout: TIMEOUT_MS },
    ).status;
  assert.equal(statusOf(), 0, "there was never one");
  const lock = native().lockFile(file);
  assert.ok(lock.acquired, "it is not held any more");
  lock.write("1");
  // 1 to 254 is what systemd takes for "skip", of which flock has 1 for a lock that is held.
  assert.equal(statusOf(), 1);
  lock.release();
  assert.equal(statusOf(), 0, "left over by one that was killed");
  assert.equal(readFileSync(file, "utf8"), "1");
});
