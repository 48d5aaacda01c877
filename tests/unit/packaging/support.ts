/** Making and looking at the Debian package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { packageRoot } from "../../../src/native";

const TIMEOUT_MS = 120_000;

/** Standard output of a program that has to succeed. */
export function output(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  return execFileSync(file, [...args], {
    cwd: packageRoot,
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
}

/** Makes a temporary folder; the second of the pair removes it. */
export function temporary(): [folder: string, remove: () => void] {
  const folder = mkdtempSync(path.join(tmpdir(), "stratis-package-"));
  return [
    folder,
    () => {
      rmSync(folder, { recursive: true, force: true });
    },
  ];
}

/** Builds the package into a folder. Returns its path. */
export const buildPackage = (folder: string): string => output("sh", ["packaging/deb.sh", folder]).trim();

/** Fields of the package's control file. */
export function controlFields(deb: string): ReadonlyMap<string, string> {
  const lines = output("dpkg-deb", ["--field", deb]).split("\n");
  return new Map(
    lines.flatMap((line) => [...line.matchAll(/^(\S+): (.*)/g)].map(([, k = "", v = ""]) => [k, v])),
  );
}

/** Below the root, without the first slash: path to mode ("-rwxr-xr-x"), owner and target of a link. */
export function contents(deb: string): ReadonlyMap<string, { mode: string; owner: string; target?: string }> {
  const entry = /^(\S{10}) (\S+) +\d+ \S+ \S+ \.\/(.*?)(?: -> (.*))?$/;
  const files = new Map<string, { mode: string; owner: string; target?: string }>();
  for (const line of output("dpkg-deb", ["--contents", deb]).trim().split("\n")) {
    const [, mode, owner, file, target] = entry.exec(line) ?? [];
    if (mode === undefined || owner === undefined || file === undefined)
      throw new Error(`dpkg-deb lists what is not understood here: ${line}`);
    files.set(file, { mode, owner, ...(target === undefined ? {} : { target }) });
  }
  return files;
}
