/** Devices of golden pools for the tools' tests, and what upstream's tool printed of them. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { FIXTURES, gunzipFixture } from "../disk/vectors";
import { MemoryBlockFile } from "../support/block-file";
import type { Output } from "../../../src/tools/tool";

const SECTORS: Readonly<Record<string, number>> = {
  v1_plain: 12_582_912,
  v2_plain: 12_582_912,
  v2_cache: 12_582_912,
  v2_two: 4_194_304,
};

const bytesOf = (disk: string): number => {
  const sectors = SECTORS[disk.replace(/-disk\d$/, "")];
  if (sectors === undefined) throw new Error(`The size of ${disk} is not known`);
  return sectors * 512;
};

const startOf = (disk: string): Buffer => gunzipFixture(path.join("bda", `${disk}.bin.gz`));

/** In memory; `disk` is "v2_plain-disk1" and the like. */
export const memoryDisk = (disk: string): MemoryBlockFile =>
  MemoryBlockFile.from(startOf(disk), BigInt(bytesOf(disk)));

/** What upstream's stratis-dumpmetadata printed of all disks of a pool, in order. */
export function upstreamDumps(pool: string): string[] {
  const text = readFileSync(path.join(FIXTURES, "golden", pool, "expected.json"), "utf8");
  const { dumpmetadata } = JSON.parse(text) as { dumpmetadata: Record<string, string> };
  return Object.values(dumpmetadata);
}

/** A folder for files of one test file; remove() is for after(). */
export class Folder {
  readonly #path = mkdtempSync(path.join(tmpdir(), "stratis-tools-"));

  write(name: string, content: Uint8Array | string): string {
    const file = path.join(this.#path, name);
    writeFileSync(file, content);
    return file;
  }

  link(name: string, target: string): string {
    const file = path.join(this.#path, name);
    symlinkSync(target, file);
    return file;
  }

  /** A sparse file with what the disk begins with. */
  disk(disk: string): string {
    const file = this.write(disk, startOf(disk));
    truncateSync(file, bytesOf(disk));
    return file;
  }

  remove(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** An Output that keeps what is written. */
export class Collected implements Output {
  stdout = "";
  stderr = "";

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }
}
