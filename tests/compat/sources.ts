/** Programs of others as they were released: from a checkout of ours, from the cache, or from the public repository. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { NotRunError } from "./not-run";

const CLONE_TIMEOUT_MS = 120_000;

/** Where things are kept that cost network or time: the same folder as that of the virtual machine's image. */
export function cacheFolder(): string {
  const { STRATIS_CACHE: own, XDG_CACHE_HOME: user } = process.env;
  return join(own ?? join(user ?? join(homedir(), ".cache"), "stratis-node"), "compat");
}

interface Release {
  /** Of the repository, and of the folder in STRATIS_COMPAT_SOURCES. */
  name: string;
  version: string;
  tag: string;
  owner: string;
  /** The file that tells the version, and how: by numbers with commas or dots between them. */
  versionFile: string;
  versionForm: RegExp;
  /** What only a checkout has, and no package; left out: nothing of that kind is needed. */
  tests?: string;
}

const STRATIS_CLI: Release = {
  name: "stratis-cli",
  version: "3.9.0",
  tag: "v3.9.0",
  owner: "stratis-storage",
  versionFile: "src/stratis_cli/_version.py",
  versionForm: /__version_info__ = \(([\d, ]+)\)/,
  tests: "tests/integration",
};

const STRATISD: Release = {
  name: "stratisd",
  version: "3.9.2",
  tag: "stratisd-v3.9.2",
  owner: "stratis-storage",
  versionFile: "Cargo.toml",
  versionForm: /^version = "([\d.]+)"/m,
  tests: "tests/client-dbus/tests/udev",
};

const BLIVET: Release = {
  name: "blivet",
  version: "3.14.0",
  tag: "blivet-3.14.0",
  owner: "storaged-project",
  versionFile: "blivet/__init__.py",
  versionForm: /^__version__ = '([\d.]+)'/m,
  tests: "tests/storage_tests",
};

/** Of stratisd and stratis-cli as they are installed on a system. */
const CERTIFICATION: Release = {
  name: "testing",
  version: "3.9.0",
  tag: "v3.9.0",
  owner: "stratis-storage",
  versionFile: "setup.cfg",
  versionForm: /^version = ([\d.]+)/m,
  tests: "testlib",
};

const DFUZZER: Release = {
  name: "dfuzzer",
  version: "2.6",
  tag: "v2.6",
  owner: "dbus-fuzzer",
  versionFile: "meson.build",
  versionForm: /version : '([\d.]+)'/,
};

function versionIn(folder: string, { versionFile, versionForm }: Release): string {
  const path = join(folder, versionFile);
  if (!existsSync(path)) throw new Error(`${folder} is not what it should be: it has no ${path}`);
  const found = versionForm.exec(readFileSync(path, "utf8"))?.[1];
  return found?.replaceAll(/,\s*/g, ".") ?? "of an unknown version";
}

/** Throws unless the folder is a checkout of the release, with its tests. */
function requireRelease(folder: string, release: Release): void {
  const { name, version, tests } = release;
  const found = versionIn(folder, release);
  if (found !== version) throw new Error(`${folder} has ${name} ${found}, and ${version} is needed`);
  if (tests !== undefined && !existsSync(join(folder, tests)))
    throw new Error(`${folder} has no ${tests}: it is a package, not a checkout`);
}

function clone({ name, version, tag, owner }: Release, folder: string): void {
  const repository = `https://github.com/${owner}/${name}`;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(cacheFolder(), { recursive: true });
  const options = ["--quiet", "--depth=1", `--branch=${tag}`, "--config=advice.detachedHead=false"];
  const { status, stderr, error } = spawnSync("git", ["clone", ...options, repository, fresh], {
    encoding: "utf8",
    timeout: CLONE_TIMEOUT_MS,
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0" },
  });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new NotRunError(
      `the source of ${name} ${version} is missing: STRATIS_COMPAT_SOURCES is not set, ${folder} does not exist, ` +
        `and git could not clone ${repository}: ${error?.message ?? stderr.trim()}`,
    );
  }
  renameSync(fresh, folder);
}

/**
 * The folder of the checkout. Throws NotRunError when it cannot be had, and Error when STRATIS_COMPAT_SOURCES names a
 * folder that has no release of the right version.
 */
function folderOf(release: Release): string {
  const given = process.env["STRATIS_COMPAT_SOURCES"];
  const folder =
    given === undefined
      ? join(cacheFolder(), `${release.name}-${release.version}`)
      : join(given, release.name);
  if (given === undefined && !existsSync(folder)) clone(release, folder);
  requireRelease(folder, release);
  return folder;
}

export const stratisCliFolder = (): string => folderOf(STRATIS_CLI);
export const stratisdFolder = (): string => folderOf(STRATISD);
export const blivetFolder = (): string => folderOf(BLIVET);
export const certificationFolder = (): string => folderOf(CERTIFICATION);
export const dfuzzerFolder = (): string => folderOf(DFUZZER);
