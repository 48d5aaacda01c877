/** Encryption, re-encryption and decryption in place in a guest, beside `cryptsetup reencrypt`. */
import { GIB } from "../tests/vm/harness/guest";
import type { InPlace } from "./guest/in-place";
import { bootToMeasure, runInGuest } from "./in-guest";
import { runProgram } from "./program";

const MEASURE_MILLISECONDS = 100 * 60_000;
const LIMIT_SECONDS = 2 * 3600;

const line = (text: string, value: string, ratio = ""): string =>
  `${text.padEnd(52)}${value.padStart(14)}${ratio.padStart(8)}`;

function print(found: InPlace): void {
  const rate = (text: string, time: number): string =>
    line(text, `${(found.mebibytes / time).toFixed(2)} MiB/s`, (found.cryptsetup / time).toFixed(2));
  const milliseconds = (text: string, time: number): string => line(text, `${(time * 1000).toFixed(1)} ms`);
  const memory = (text: string, megabytes: number | null): string =>
    line(text, megabytes === null ? "–" : `${megabytes.toFixed(1)} MB`);
  const lines = [
    line(`${found.mebibytes.toFixed(0)} MiB, with key derivation`, "", "ratio"),
    rate("cryptsetup reencrypt", found.cryptsetup),
    rate("EncryptPool", found.encrypt),
    rate("ReencryptPool", found.reencrypt),
    rate("DecryptPool", found.decrypt),
    milliseconds("GetManagedObjects before, middle", found.answerIdle),
    milliseconds("GetManagedObjects meanwhile, middle", found.answerMeanwhile),
    milliseconds("GetManagedObjects meanwhile, slowest", found.slowestAnswerMeanwhile),
    memory("resident memory of the daemon before", found.residentBefore),
    memory("resident memory of the daemon meanwhile, most", found.residentMost),
    memory("resident memory of stratisd-worker, most", found.workerMost),
  ];
  process.stdout.write(`\n${lines.join("\n")}\n`);
}

async function main(): Promise<void> {
  const guest = await bootToMeasure([{ serial: "small", sizeBytes: 2 * GIB }], LIMIT_SECONDS);
  try {
    const printed = await runInGuest(guest, { name: "in-place", timeoutMs: MEASURE_MILLISECONDS });
    print(JSON.parse(printed) as InPlace);
  } finally {
    await guest.shutdown();
  }
}

runProgram(main);
