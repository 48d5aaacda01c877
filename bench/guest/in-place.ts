/**
 * Runs in the guest: encryption in place beside `cryptsetup reencrypt` on the same device, and what the daemon needs and
 * answers meanwhile. Prints the measurements as JSON.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { closeBus, stratis } from "../../tests/vm/cases/support";
import { SystemBus, type ManagedObjects } from "../../tests/vm/guest/bus";
import { disk } from "../../tests/vm/guest/disks";
import { median } from "../median";
import { Daemon } from "./daemon";
import { residentMB } from "./resident";
import { say, seconds } from "./seconds";

/** Of one operation. */
export interface InPlaceSpeed {
  /** From the call to its answer, key derivation included: MiB/s. */
  whole: number;
  /** While data were worked on: MiB/s. */
  data: number;
}

/** Times in seconds, memory in MB. */
export interface InPlace {
  mebibytes: number;
  encrypt: InPlaceSpeed;
  reencrypt: InPlaceSpeed;
  decrypt: InPlaceSpeed;
  cryptsetup: InPlaceSpeed;
  answerIdle: number;
  /** While data were worked on, as all that follows. */
  answerMeanwhile: number;
  slowestAnswerMeanwhile: number;
  /** While keys were derived, which takes a processor. */
  slowestAnswerOfKeys: number;
  residentFirst: number;
  residentLast: number;
  residentMost: number;
}

const run = promisify(execFile);
const POOL = "inplace";
const KEY = "bench";
const KEY_FILE = "/run/stratis-bench-key";
const ANSWERS = 20;
const PAUSE_MILLISECONDS = 500;
const OPERATION_MILLISECONDS = 60 * 60_000;
const MIB = 1024 * 1024;

/** What was seen at one moment of an operation; times in seconds. */
interface Sample {
  readonly time: number;
  readonly doneBytes: number;
  readonly answer: number;
  readonly residentMB: number;
}

const now = (): number => performance.now() / 1000;

function doneBytes(objects: ManagedObjects): number {
  for (const interfaces of Object.values(objects))
    for (const properties of Object.values(interfaces))
      if ("DoneBytes" in properties) return Number(properties["DoneBytes"]);
  return 0;
}

/** MiB/s from the first moment until the last data were done: keys are derived after them. */
function speedOf(moments: readonly Pick<Sample, "time" | "doneBytes">[]): number {
  const [first, last] = [moments[0], moments.at(-1)];
  const done = moments.find(({ doneBytes: bytes }) => bytes === last?.doneBytes);
  if (first === undefined || done === undefined || done.time <= first.time)
    throw new Error("The device is too small to tell how fast it is worked on");
  return (done.doneBytes - first.doneBytes) / MIB / (done.time - first.time);
}

const atData = (samples: readonly Sample[]): Sample[] => samples.filter((sample) => sample.doneBytes > 0);

interface Observed {
  readonly seconds: number;
  readonly samples: readonly Sample[];
}

/** Asks the daemon for everything, again and again, until `work` is done. */
async function observed(daemon: Daemon, work: () => Promise<unknown>): Promise<Observed> {
  const samples: Sample[] = [];
  const state = { done: false };
  const took = seconds(work).finally(() => {
    state.done = true;
  });
  while (!state.done) {
    const begin = now();
    const objects = await daemon.managedObjects();
    const time = now();
    samples.push({
      ...{ time, doneBytes: doneBytes(objects), answer: time - begin },
      residentMB: await residentMB(),
    });
    await Promise.race([took, sleep(PAUSE_MILLISECONDS)]);
  }
  return { seconds: await took, samples };
}

/** Lines of `cryptsetup --progress-json`; the others say what it does. */
function cryptsetupMoments(output: string): Pick<Sample, "time" | "doneBytes">[] {
  const lines = output.split(/[\r\n]+/).filter((line) => line.startsWith("{"));
  return lines.map((line) => {
    const { device_bytes: done, time_ms: time } = JSON.parse(line) as Record<string, string>;
    return { time: Number(time) / 1000, doneBytes: Number(done) };
  });
}

/** How many times 4 MiB. */
async function blocksOf(device: string): Promise<number> {
  const { stdout } = await run("blockdev", ["--getsize64", device]);
  return Math.floor(Number(stdout) / (4 * MIB));
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
  const device = await disk("small");
  // The disk is a sparse file, which whoever writes first would have to wait for.
  say("the disk's blocks");
  await run("dd", [
    "if=/dev/zero",
    `of=${device}`,
    "bs=4M",
    "oflag=direct",
    `count=${await blocksOf(device)}`,
  ]);
  const pool = await daemon.createPool(POOL, [device]);
  const filesystem = await daemon.createFilesystem(pool, "fs");
  const idle: number[] = [];
  for (let index = 0; index < ANSWERS; index += 1) idle.push(await seconds(() => daemon.managedObjects()));
  say("encryption in place");
  const encrypt = await observed(daemon, () => daemon.encryptPool(pool, [KEY]));
  say("re-encryption");
  const reencrypt = await observed(daemon, () => daemon.reencryptPool(pool));
  const { container, active, mebibytes } = await cryptDevice();
  say("decryption");
  const decrypt = await observed(daemon, () => daemon.decryptPool(pool));
  say("cryptsetup reencrypt");
  await daemon.encryptPool(pool, [KEY]);
  const options = ["--key-file", KEY_FILE, "--batch-mode", "--active-name", active, "--progress-json"];
  let output = "";
  const cryptsetup = await observed(daemon, async () => {
    const command = ["reencrypt", ...options, "--progress-frequency", "1", `/dev/mapper/${container}`];
    output = (await run("cryptsetup", command, { timeout: OPERATION_MILLISECONDS })).stdout;
  });
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  await stratis("key", "unset", KEY);
  await daemon.stop();
  await closeBus();
  await bus.close();
  const samples = [encrypt, reencrypt, decrypt].flatMap((operation) => operation.samples);
  const meanwhile = atData(samples);
  const answers = meanwhile.map(({ answer }) => answer);
  const speed = (operation: Observed): InPlaceSpeed => ({
    whole: mebibytes / operation.seconds,
    data: speedOf(atData(operation.samples)),
  });
  const measurements: InPlace = {
    ...{ mebibytes, encrypt: speed(encrypt), reencrypt: speed(reencrypt), decrypt: speed(decrypt) },
    cryptsetup: { whole: mebibytes / cryptsetup.seconds, data: speedOf(cryptsetupMoments(output)) },
    answerIdle: median(idle),
    answerMeanwhile: median(answers),
    slowestAnswerMeanwhile: Math.max(...answers),
    slowestAnswerOfKeys: Math.max(
      ...samples.filter((sample) => sample.doneBytes === 0).map(({ answer }) => answer),
    ),
    residentFirst: meanwhile[0]?.residentMB ?? Number.NaN,
    residentLast: meanwhile.at(-1)?.residentMB ?? Number.NaN,
    residentMost: Math.max(...meanwhile.map((sample) => sample.residentMB)),
  };
  process.stdout.write(`${JSON.stringify(measurements)}\n`);
}

void main();
