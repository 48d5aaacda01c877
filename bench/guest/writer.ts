/**
 * Writes zeroes to a file as fast as it can, 1 MiB at a time, each down to the disk, so that each waits for the pool.
 * Usage: writer.js FILE MEBIBYTES. Prints the longest write and the middle one, in seconds, as JSON.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { median } from "../median";

const MIB = 1024 * 1024;

export interface Writes {
  longest: number;
  middle: number;
}

function main([file, mebibytes]: string[]): void {
  if (file === undefined || mebibytes === undefined) throw new Error("Usage: writer.js FILE MEBIBYTES");
  const buffer = Buffer.alloc(MIB);
  const descriptor = openSync(file, "w");
  const times: number[] = [];
  for (let index = 0; index < Number(mebibytes); index += 1) {
    const started = process.hrtime.bigint();
    writeSync(descriptor, buffer);
    fdatasyncSync(descriptor);
    times.push(Number(process.hrtime.bigint() - started) / 1e9);
  }
  closeSync(descriptor);
  const writes: Writes = { longest: Math.max(...times), middle: median(times) };
  process.stdout.write(JSON.stringify(writes));
}

main(process.argv.slice(2));
