/**
 * Runs in the guest: encryption in place beside `cryptsetup reencrypt` on the same device, and what the daemon needs and
 * answers meanwhile. Prints the measurements as JSON.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { closeBus, stratis } from "../../tests/vm/cases/support";
import { SystemBus } from "../../tests/vm/guest/bus";
import { disk } from "../../tests/vm/guest/disks";
import { median } from "../median";
import { Daemon } from "./daemon";
import { residentMB, workerMostMB } from "./resident";
import { say, seconds } from "./seconds";

/** Times in seconds, memory in MB. */
export interface InPlace {
  mebibytes: number;
  encrypt: number;
  reencrypt: number;
  decrypt: number;
  cryptsetup: number;
  answerIdle: number;
  answerMeanwhile: number;
  slowestAnswerMeanwhile: number;
  residentBefore: number;
  residentMost: number;
  /** Of the process that works on the data; null: none was seen. */
  workerMost: number | null;
}

const run = promisify(execFile);
const POOL = "inplace";
const KEY = "bench";
const KEY_FILE = "/run/stratis-bench-key";
const ANSWERS = 20;
const PAUSE_MILLISECONDS = 500;
const OPERATION_MILLISECONDS = 60 * 60_000;

interface Meanwhile {
  answers: number[];
  resident: number[];
  worker: number[];
}

/** Asks the daemon for everything, again and again, until `work` is done. */
async function observed(daemon: Daemon, seen: Meanwhile, work: () => Promise<unknown>): Promise<number> {
  const state = { done: false };
  const took = seconds(work).finally(() => {
    state.done = true;
  });
  while (!state.done) {
    seen.answers.push(await seconds(() => daemon.managedObjects()));
    seen.resident.push(await residentMB());
    const worker = workerMostMB();
    if (worker !== undefined) seen.worker.push(worker);
    await Promise.race([took, sleep(PAUSE_MILLISECONDS)]);
  }
  return await took;
}

/** The names and the size of the device that is encrypted. */
async function cryptDevice(): Promise<{ container: string; active: string; mebibytes: number }> {
  const { stdout } = await run("dmsetup", ["table"]);
  const lines = stdout.split("\n").map((line) => line.split(/:? /));
  const container = lines.find(([name]) => name?.endsWith("-physical-cache") === true);
  const active = lines.find(([name]) => name?.endsWith("-crypt") === true);
  if (container?.[0] === undefined || active?.[0] === undefined)
    throw new Error(`No crypt device: ${stdout}`);
  return { container: container[0], active: active[0], mebibytes: Number(active[2]) / 2048 };
}

async function main(): Promise<void> {
  const bus = await SystemBus.open(OPERATION_MILLISECONDS);
  const daemon = new Daemon(bus);
  await daemon.start();
  writeFileSync(KEY_FILE, "a key for measurements");
  await stratis("key", "set", "--keyfile-path", KEY_FILE, KEY);
  const pool = await daemon.createPool(POOL, [await disk("small")]);
  const filesystem = await daemon.createFilesystem(pool, "fs");
  const residentBefore = await residentMB();
  const idle: number[] = [];
  for (let index = 0; index < ANSWERS; index += 1) idle.push(await seconds(() => daemon.managedObjects()));
  const seen: Meanwhile = { answers: [], resident: [], worker: [] };
  say("encryption in place");
  const encrypt = await observed(daemon, seen, () => daemon.encryptPool(pool, [KEY]));
  say("re-encryption");
  const reencrypt = await observed(daemon, seen, () => daemon.reencryptPool(pool));
  const { container, active, mebibytes } = await cryptDevice();
  say("decryption");
  const decrypt = await observed(daemon, seen, () => daemon.decryptPool(pool));
  say("cryptsetup reencrypt");
  await daemon.encryptPool(pool, [KEY]);
  const options = ["--key-file", KEY_FILE, "--batch-mode", "--active-name", active];
  const cryptsetup = await seconds(() =>
    run("cryptsetup", ["reencrypt", ...options, `/dev/mapper/${container}`], {
      timeout: OPERATION_MILLISECONDS,
    }),
  );
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  await stratis("key", "unset", KEY);
  await daemon.stop();
  await closeBus();
  await bus.close();
  const measurements: InPlace = {
    ...{ mebibytes, encrypt, reencrypt, decrypt, cryptsetup, residentBefore },
    answerIdle: median(idle),
    answerMeanwhile: median(seen.answers),
    slowestAnswerMeanwhile: Math.max(...seen.answers),
    residentMost: Math.max(...seen.resident),
    workerMost: seen.worker.length === 0 ? null : Math.max(...seen.worker),
  };
  process.stdout.write(`${JSON.stringify(measurements)}\n`);
}

void main();
