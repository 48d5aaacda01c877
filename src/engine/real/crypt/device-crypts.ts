/**
 * The LUKS2 layers of all devices of an encrypted V1 pool, for a re-encryption of all of their data, device after device
 * (encryption.md §19.2).
 *
 * It is begun in all headers, or in none, before the data of the first device are touched, and the marks of it
 * (reencryption-mark.ts) stay on all devices until the end of the last one is recorded. So where one is pending all are
 * to be done, also one in which it was not begun because the machine lost its power; and where none is pending it is
 * either done on all of them or had begun on none.
 */
import type { CryptReencryption, Secret } from "../../../native";
import { logger } from "../../../log";
import { sectorsToBytes } from "../../../units";
import type { DeviceCrypt } from "./device-crypt";
import { keepingHeaders } from "./header-backup";
import type { UnlockToken } from "./tokens";

const log = logger("stratisd::engine::crypt");

export class DeviceCrypts {
  /** In the order of the pool's record; at least one. */
  constructor(private readonly devices: readonly DeviceCrypt[]) {}

  /** As of the last time that the headers were read. */
  get pending(): "reencrypt" | null {
    return this.devices.some(({ pending }) => pending === "reencrypt") ? "reencrypt" : null;
  }

  /** Of all devices. */
  get tokens(): UnlockToken[] {
    return this.devices.flatMap(({ tokens }) => tokens);
  }

  async refresh(): Promise<void> {
    for (const device of this.devices) await device.refresh();
  }

  async mend(): Promise<void> {
    for (const device of this.devices) await device.mend(device.number);
  }

  /** On failure, and after an interruption, the headers are as they were. */
  async beginReencryption(): Promise<void> {
    for (const device of this.devices) await device.requireFullSize();
    await keepingHeaders(this.devices, async () => {
      for (const device of this.devices) (await device.beginReencryption()).wipe();
    });
  }

  async #beginWhereLeftOut(): Promise<void> {
    for (const device of this.devices)
      if (device.pending === null && device.outcome?.done !== true) {
        log.info(
          `The re-encryption of ${device.container} was not begun with that of the others; it begins now`,
        );
        await keepingHeaders([device], async () => {
          await device.settleMark(() => Promise.resolve());
          (await device.beginReencryption()).wipe();
        });
      }
  }

  /** As that of one device: progress is that of all of them. */
  async runPending(
    passphrase: Secret | null,
    onProgress: (done: bigint, total: bigint) => void,
    started: (run: CryptReencryption) => void,
  ): Promise<"finished" | "stopped"> {
    await this.#beginWhereLeftOut();
    const parts: { device: DeviceCrypt; size: bigint }[] = [];
    for (const device of this.devices) parts.push({ device, size: sectorsToBytes(await device.room()) });
    const total = parts.reduce((sum, { size }) => sum + size, 0n);
    let before = 0n;
    for (const { device, size } of parts) {
      if (device.pending === "reencrypt") {
        const report = (done: bigint): void => {
          onProgress(before + done, total);
        };
        if ((await device.runPending(passphrase, report, started)) === "stopped") return "stopped";
        await device.refresh();
      }
      before += size;
    }
    return "finished";
  }

  /** As that of one device. */
  async settleMark(recorded: () => Promise<void>): Promise<boolean> {
    if (this.pending !== null) return false;
    const done = this.devices.some(({ outcome }) => outcome?.done === true);
    if (done) await recorded();
    for (const device of this.devices) await device.settleMark(() => Promise.resolve());
    return done;
  }
}
