/**
 * Asking udev for the /dev/stratis links. The daemon writes a synthetic "change" event that carries the names, udev's
 * rule makes the link, and the event comes back on the monitor when all rules have run: only then is an operation
 * finished, so that the link is there when its reply arrives (system.md §15.2, §15.3).
 */
import { stat, writeFile } from "node:fs/promises";
import type { DeviceNumber } from "../../dm/device-number";
import { deviceNumberOf, deviceNumbersEqual, formatDeviceNumber } from "../../dm/device-number";
import { native, type UdevDevice } from "../../native";
import { logger } from "../../log";
import type { FilesystemUuid } from "../../uuid";
import { errorText } from "../errors";

const log = logger("stratisd::engine::uevent");

/** Milliseconds until an operation stops waiting for udev; the link may then appear later. */
const LINK_TIMEOUT_MS = 30_000;

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 base32 without padding: the kernel takes only letters and digits in these values. */
export function base32(text: string): string {
  let bits = 0;
  let pending = 0;
  let result = "";
  for (const byte of Buffer.from(text, "utf8")) {
    pending = (pending << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      result += BASE32.charAt((pending >>> bits) & 31);
    }
    pending &= (1 << bits) - 1;
  }
  return bits > 0 ? result + BASE32.charAt((pending << (5 - bits)) & 31) : result;
}

/**
 * Makes udev look at a device again. It looks by itself when a writer closes the device, but misses a writer that comes
 * while it is still busy with the one before. Failures are logged, never thrown.
 */
export async function requestUdevChange(device: DeviceNumber): Promise<void> {
  const file = `/sys/dev/block/${formatDeviceNumber(device)}/uevent`;
  try {
    await writeFile(file, "change");
  } catch (error) {
    log.warn(`Could not make udev look at a device again by writing to ${file}: ${errorText(error)}`);
  }
}

/**
 * Whether a filesystem has its link, and udev knows the names that it keeps it by, as they are when nothing but the daemon
 * was started anew. What can't be told is as if it were not so.
 */
export async function isLinked(device: DeviceNumber, pool: string, filesystem: string): Promise<boolean> {
  try {
    const { rdev } = await stat(`/dev/stratis/${pool}/${filesystem}`, { bigint: true });
    if (!deviceNumbersEqual(deviceNumberOf(rdev), device)) return false;
    const known = await native().udevBlockDevice(device.major, device.minor);
    return (
      known?.properties["STRATIS_POOL_NAME"] === pool && known.properties["STRATIS_FS_NAME"] === filesystem
    );
  } catch {
    return false;
  }
}

export class LinkNotifier {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** To be shown every udev event as it comes. */
  observe(events: readonly UdevDevice[]): void {
    for (const { properties } of events) {
      const uuid = properties["SYNTH_UUID"];
      const pool = properties["SYNTH_ARG_STRATISPOOLNAME"];
      const filesystem = properties["SYNTH_ARG_STRATISFSNAME"];
      if (uuid === undefined || pool === undefined || filesystem === undefined) continue;
      const key = [uuid, pool, filesystem].join(" ");
      const waiters = this.#waiting.get(key);
      this.#waiting.delete(key);
      for (const done of waiters ?? []) done();
    }
  }

  /** Makes udev set the link of a filesystem, and waits until it has. Failures are logged, never thrown. */
  async announce(
    device: DeviceNumber,
    uuid: FilesystemUuid,
    pool: string,
    filesystem: string,
  ): Promise<void> {
    const number = formatDeviceNumber(device);
    const encodedPool = base32(pool);
    const encodedFilesystem = base32(filesystem);
    const wait = this.#expect([uuid, encodedPool, encodedFilesystem].join(" "));
    try {
      await writeFile(
        `/sys/dev/block/${number}/uevent`,
        `change ${uuid} STRATISPOOLNAME=${encodedPool} STRATISFSNAME=${encodedFilesystem}`,
      );
      if (!(await wait.seen))
        log.warn(
          `udev has not processed the link /dev/stratis/${pool}/${filesystem} within ${LINK_TIMEOUT_MS} ms`,
        );
    } catch (error) {
      log.warn(`Failed to notify udev to perform symlink operation on ${number}: ${errorText(error)}`);
    } finally {
      wait.cancel();
    }
  }

  /** `seen` resolves to true when the event has come back, to false when it has not in time. */
  #expect(key: string): { seen: Promise<boolean>; cancel: () => void } {
    let settle: (seen: boolean) => void = () => undefined;
    const seen = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    const done = (): void => {
      settle(true);
    };
    this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), done]);
    const timer = setTimeout(() => {
      settle(false);
    }, LINK_TIMEOUT_MS);
    const cancel = (): void => {
      clearTimeout(timer);
      const others = (this.#waiting.get(key) ?? []).filter((waiter) => waiter !== done);
      if (others.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, others);
    };
    return { seen, cancel };
  }
}
