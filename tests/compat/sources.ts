/** stratis-cli as it was released: from a checkout of ours, from the cache, or from its public repository. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { NotRunError } from "./not-run";

const VERSION = "3.9.0";
const REPOSITORY = "https://github.com/stratis-storage/stratis-cli";
const CLONE_TIMEOUT_MS = 120_000;

/** Where things are kept that cost network or time: the same folder as that of the virtual machine's image. */
export function cacheFolder(): string {
  const { STRATIS_CACHE: own, XDG_CACHE_HOME: user } = process.env;
  return join(own ?? join(user ?? join(homedir(), ".cache"), "stratis-node"), "compat");
}

/** Throws unless the folder is a checkout of the release, with its tests. */
function checkRelease(folder: string): void {
  const version = join(folder, "src/stratis_cli/_version.py");
  if (!existsSync(version)) throw new Error(`${folder} is no checkout of stratis-cli: it has no ${version}`);
  const numbers = /__version_info__ = \(([\d, ]+)\)/.exec(readFileSync(version, "utf8"))?.[1];
  const found = numbers?.split(",").map((number) => number.trim());
  if (found?.join(".") !== VERSION)
    throw new Error(
      `${folder} has stratis-cli ${found?.join(".") ?? "of an unknown version"}, and ${VERSION} is needed`,
    );
  if (!existsSync(join(folder, "tests/integration")))
    throw new Error(`${folder} has no tests/integration: it is a package, not a checkout`);
}

function clone(folder: string): void {
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(cacheFolder(), { recursive: true });
  const options = ["--quiet", "--depth=1", `--branch=v${VERSION}`, "--config=advice.detachedHead=false"];
  const { status, stderr, error } = spawnSync("git", ["clone", ...options, REPOSITORY, fresh], {
    encoding: "utf8",
    timeout: CLONE_TIMEOUT_MS,
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0" },
  });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new NotRunError(
      `the source of stratis-cli ${VERSION} is missing: STRATIS_COMPAT_SOURCES is not set, ${folder} does not exist, ` +
        `and git could not clone ${REPOSITORY}: ${error?.message ?? stderr.trim()}`,
    );
  }
  renameSync(fresh, folder);
}

/**
 * The folder of the checkout. Throws NotRunError when it cannot be had, and Error when STRATIS_COMPAT_SOURCES names a
 * folder that has no `stratis-cli` of the right version.
 */
export function stratisCliFolder(): string {
  const given = process.env["STRATIS_COMPAT_SOURCES"];
  const folder =
    given === undefined ? join(cacheFolder(), `stratis-cli-${VERSION}`) : join(given, "stratis-cli");
  if (given === undefined && !existsSync(folder)) clone(folder);
  checkRelease(folder);
  return folder;
}
