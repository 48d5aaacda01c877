/**
 * Run in the guest: prints as JSON what a running daemon shows, what device-mapper has, and the hash of every file of
 * every filesystem of the pools. With --stopped: the pools that are stopped.
 */
import { readdir, readlink } from "node:fs/promises";
import * as path from "node:path";
import { closeBus, managedObjects, managerProperty, mountPoint, mustRun, sha256 } from "../cases/support";
import type { ManagedObjects } from "./bus";

export interface Inspection {
  objects: ManagedObjects;
  dmTable: string[];
  /** "POOL/FILESYSTEM" */
  links: string[];
  /** By filesystem and file. */
  files: Record<string, Record<string, string>>;
}

async function linksBelow(folder: string): Promise<string[]> {
  const links: string[] = [];
  for (const pool of await readdir(folder))
    for (const name of await readdir(path.join(folder, pool))) {
      await readlink(path.join(folder, pool, name));
      links.push(`${pool}/${name}`);
    }
  return links.sort();
}

async function hashFiles(device: string): Promise<Record<string, string>> {
  const at = await mountPoint("inspected");
  await mustRun("mount", ["-o", "ro", device, at]);
  try {
    const hashes: Record<string, string> = {};
    for (const file of (await readdir(at)).sort()) hashes[file] = await sha256(path.join(at, file));
    return hashes;
  } finally {
    await mustRun("umount", [at]);
  }
}

async function inspect(): Promise<Inspection> {
  const objects = await managedObjects();
  const { stdout } = await mustRun("dmsetup", ["table"]);
  const links = await linksBelow("/dev/stratis");
  const files: Inspection["files"] = {};
  for (const link of links) files[path.basename(link)] = await hashFiles(path.join("/dev/stratis", link));
  return {
    objects,
    dmTable: stdout
      .split("\n")
      .filter((line) => line.startsWith("stratis-1-"))
      .sort(),
    links,
    files,
  };
}

const stoppedPools = (): Promise<unknown> => managerProperty("r9", "StoppedPools");

/** All of these fit: sizes are strings on the bus. */
const printBigint = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? Number(value) : value;

(process.argv.includes("--stopped") ? stoppedPools() : inspect())
  .then(
    (found) => {
      process.stdout.write(JSON.stringify(found, printBigint));
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exitCode = 1;
    },
  )
  .finally(() => void closeBus());
