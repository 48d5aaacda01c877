/** Encryption, re-encryption and decryption in place in a guest, beside `cryptsetup reencrypt`. */
import { GIB } from "../tests/vm/harness/guest";
import type { InPlace, InPlaceSpeed } from "./guest/in-place";
import { bootToMeasure, runInGuest } from "./in-guest";
import { runProgram } from "./program";
import { inUserMode } from "../tests/vm/harness/user-mode";

const MEASURE_MILLISECONDS = 100 * 60_000;
const LIMIT_SECONDS = 2 * 3600;
/** In user mode data are worked on so fast that little of them tells nothing. */
const SIZE_GIB = inUserMode() ? 6 : 2;

const line = (text: string, value: string, ratio = ""): string =>
  `${text.padEnd(52)}${value.padStart(14)}${ratio.padStart(8)}`;

function print(found: InPlace): void {
  const rates = (text: string, { whole, data }: InPlaceSpeed): string[] => [
    line(`${text}, data`, `${data.toFixed(2)} MiB/s`, (data / found.cryptsetup.data).toFixed(2)),
    line(
      `${text}, with the derivation of keys`,
      `${whole.toFixed(2)} MiB/s`,
      (whole / found.cryptsetup.whole).toFixed(2),
    ),
  ];
  const milliseconds = (text: string, time: number): string => line(text, `${(time * 1000).toFixed(1)} ms`);
  const memory = (text: string, megabytes: number): string => line(text, `${megabytes.toFixed(1)} MB`);
  const lines = [
    line(`${found.mebibytes.toFixed(0)} MiB`, "", "ratio"),
    ...rates("cryptsetup reencrypt", found.cryptsetup),
    ...rates("EncryptPool", found.encrypt),
    ...rates("ReencryptPool", found.reencrypt),
    ...rates("DecryptPool", found.decrypt),
    milliseconds("GetManagedObjects before, middle", found.answerIdle),
    milliseconds("GetManagedObjects meanwhile, middle", found.answerMeanwhile),
    milliseconds("GetManagedObjects meanwhile, slowest", found.slowestAnswerMeanwhile),
    milliseconds("GetManagedObjects while keys are derived, slowest", found.slowestAnswerOfKeys),
    memory("resident memory of the daemon at the first piece", found.residentFirst),
    memory("resident memory of the daemon at the last piece", found.residentLast),
    memory("resident memory of the daemon meanwhile, most", found.residentMost),
  ];
  process.stdout.write(`\n${lines.join("\n")}\n`);
}

async function main(): Promise<void> {
  const guest = await bootToMeasure([{ serial: "small", sizeBytes: SIZE_GIB * GIB }], LIMIT_SECONDS);
  try {
    const printed = await runInGuest(guest, { name: "in-place", timeoutMs: MEASURE_MILLISECONDS });
    print(JSON.parse(printed) as InPlace);
  } finally {
    await guest.shutdown();
  }
}

runProgram(main);
