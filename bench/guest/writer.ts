/**
 * Writes zeroes to a file as fast as it can, 1 MiB at a time, each down to the disk, so that each waits for the pool; at the
 * size given it begins anew. It ends with its standard input. Usage: writer.js FILE MEBIBYTES. Prints the longest write and
 * the middle one, in seconds, as JSON.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { median } from "../median";

const MIB = 1024 * 1024;

export interface Writes {
  longest: number;
  middle: number;
}

async function main([file, mebibytes]: string[]): Promise<void> {
  if (file === undefined || mebibytes === undefined) throw new Error("Usage: writer.js FILE MEBIBYTES");
  const buffer = Buffer.alloc(MIB);
  const descriptor = openSync(file, "w");
  const times: number[] = [];
  const ended = new AbortController();
  process.stdin.on("end", () => {
    ended.abort();
  });
  process.stdin.resume();
  while (!ended.signal.aborted) {
    const started = process.hrtime.bigint();
    writeSync(descriptor, buffer, 0, MIB, (times.length % Number(mebibytes)) * MIB);
    fdatasyncSync(descriptor);
    times.push(Number(process.hrtime.bigint() - started) / 1e9);
    await setImmediate();
  }
  closeSync(descriptor);
  const writes: Writes = { longest: Math.max(...times), middle: median(times) };
  process.stdout.write(JSON.stringify(writes));
}

void main(process.argv.slice(2));
