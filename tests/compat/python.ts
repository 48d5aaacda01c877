/** A Python that is new enough for stratis-cli, with the packages of requirements.txt. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../src/native";
import { NotRunError } from "./not-run";
import { cacheFolder } from "./sources";

const MINIMUM = [3, 12] as const;
const REQUIREMENTS = join(packageRoot, "tests/compat/requirements.txt");
const PROBE_TIMEOUT_MS = 20_000;
const INSTALL_TIMEOUT_MS = 600_000;
/** Fails where the module that makes environments lacks its other half, which Debian packages on its own. */
const PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:3], sep='.')";

/** What may be one: names in PATH, and what pyenv has built. */
function candidates(): string[] {
  const built = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const versions = existsSync(built) ? readdirSync(built) : [];
  return [
    "python3",
    ...["3.14", "3.13", "3.12"].map((version) => `python${version}`),
    ...versions
      .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
      .map((version) => join(built, version, "bin/python3")),
  ];
}

interface Interpreter {
  readonly program: string;
  readonly version: string;
}

function findInterpreter(): Interpreter {
  const tried: string[] = [];
  for (const program of candidates()) {
    const { status, stdout, stderr, error } = spawnSync(program, ["-c", PROBE], {
      encoding: "utf8",
      timeout: PROBE_TIMEOUT_MS,
    });
    if (error !== undefined) continue;
    const version = stdout.trim();
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (status === 0 && major === MINIMUM[0] && minor >= MINIMUM[1]) return { program, version };
    tried.push(`${program}: ${status === 0 ? version : (stderr.trim().split("\n").at(-1) ?? "")}`);
  }
  throw new NotRunError(
    `stratis-cli needs Python ${MINIMUM.join(".")} or newer with venv; tried ${tried.join("; ") || "nothing"}`,
  );
}

function install(step: string, program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1" },
  });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split("\n").slice(-8).join("\n");
  throw new NotRunError(`${step} failed: ${reason}`);
}

/**
 * The program of an environment that has the packages; it is made in the cache when it is not there. Throws
 * NotRunError when there is no Python for it, or when the packages cannot be installed.
 */
export function pythonProgram(): string {
  const { program, version } = findInterpreter();
  const requirements = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 16);
  const folder = join(cacheFolder(), `python-${version}-${requirements}`);
  const result = join(folder, "bin/python");
  const complete = join(folder, "complete");
  if (existsSync(complete)) return result;
  // An environment cannot be moved, so that one that is not finished lacks the mark instead of having another name.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cacheFolder(), { recursive: true });
  install(`Making a Python environment with ${program}`, program, ["-m", "venv", folder]);
  install(`Installing ${REQUIREMENTS} with ${program}`, result, [
    ...["-m", "pip", "install", "--quiet"],
    ...["--requirement", REQUIREMENTS],
  ]);
  writeFileSync(complete, "");
  return result;
}

/** What tests on a real kernel import and Debian has no package of: all of it is plain Python. */
const PLAIN_PACKAGES = [
  ...["dbus_client_gen", "dbus_python_client_gen", "dbus_signature_pyparsing", "into_dbus_python"],
  ...["justbases", "justbytes", "pyparsing", "dateutil", "wcwidth"],
];

/** Copies these packages into a folder, for the Python of a guest. Throws NotRunError as pythonProgram does. */
export function copyPackages(folder: string): void {
  const library = join(pythonProgram(), "../../lib");
  const [version] = readdirSync(library).filter((name) => name.startsWith("python3"));
  const packages = join(library, version ?? "python3", "site-packages");
  for (const name of PLAIN_PACKAGES) cpSync(join(packages, name), join(folder, name), { recursive: true });
}
