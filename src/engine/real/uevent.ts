/**
 * Asking udev for the /dev/stratis links. The daemon writes a synthetic "change" event that carries the names, udev's
 * rule makes the link, and the event comes back on the monitor when all rules have run (system.md §15.2, §15.3). The link
 * is there when an operation's reply arrives: most operations wait for the event, a change of names makes the same link
 * itself.
 */
import { symlinkSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import * as path from "node:path";
import type { DeviceNumber } from "../../dm/device-number";
import { deviceNumberOf, deviceNumbersEqual, formatDeviceNumber } from "../../dm/device-number";
import { native, type UdevDevice } from "../../native";
import { logger } from "../../log";
import type { FilesystemUuid } from "../../uuid";
import { errorText, isMissing } from "../errors";

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
export function requestUdevChange(device: DeviceNumber): void {
  try {
    native().requestUevent(device.major, device.minor, "change");
  } catch (error) {
    log.warn(`Could not make udev look at ${formatDeviceNumber(device)} again: ${errorText(error)}`);
  }
}

/** The names that make the path of a filesystem's link. */
export interface LinkNames {
  readonly pool: string;
  readonly filesystem: string;
}

const linkPath = ({ pool, filesystem }: LinkNames): string => `/dev/stratis/${pool}/${filesystem}`;

/** Makes the link that udev would make. Returns false where it can't, or something else is in its place. */
async function makeLink(device: DeviceNumber, names: LinkNames): Promise<boolean> {
  const link = linkPath(names);
  // At once: /dev is memory.
  const make = (): void => {
    symlinkSync(`../../dm-${device.minor}`, link);
  };
  try {
    try {
      make();
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(path.dirname(link), { recursive: true });
      make();
    }
    return true;
  } catch (error) {
    log.debug(`The link ${link} is left to udev: ${errorText(error)}`);
    return false;
  }
}

/**
 * Whether a filesystem has its link, and udev knows the names that it keeps it by, as they are when nothing but the daemon
 * was started anew. What can't be told is as if it were not so.
 */
export async function isLinked(device: DeviceNumber, names: LinkNames): Promise<boolean> {
  try {
    const { rdev } = await stat(linkPath(names), { bigint: true });
    if (!deviceNumbersEqual(deviceNumberOf(rdev), device)) return false;
    const known = await native().udevBlockDevice(device.major, device.minor);
    return (
      known?.properties["STRATIS_POOL_NAME"] === names.pool &&
      known.properties["STRATIS_FS_NAME"] === names.filesystem
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
      // In the order in which they were asked for, also those with the same names.
      const [oldest, ...others] = this.#waiting.get(key) ?? [];
      if (others.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, others);
      oldest?.();
    }
  }

  /** Makes udev set the link of a filesystem, and waits until it has. Failures are logged, never thrown. */
  async announce(device: DeviceNumber, uuid: FilesystemUuid, names: LinkNames): Promise<void> {
    await this.#request(device, uuid, names);
  }

  /**
   * Gives a filesystem whose names have changed its new link, and udev its names. udev takes the old link away, which is
   * not waited for. udev is waited for where the new link can't be made here, such as in the place of one that udev still
   * has to take away. Failures are logged, never thrown.
   */
  async move(device: DeviceNumber, uuid: FilesystemUuid, names: LinkNames): Promise<void> {
    const made = await makeLink(device, names);
    // udev, which starts at once, finds the link there.
    const processed = this.#request(device, uuid, names);
    if (!made) await processed;
  }

  /**
   * Returns when udev has the event before it, for which `udevadm settle` then waits. Resolves when all rules have run for
   * it, or it is not waited for any longer. Failures are logged, never thrown.
   */
  #request(device: DeviceNumber, uuid: FilesystemUuid, names: LinkNames): Promise<void> {
    const pool = base32(names.pool);
    const filesystem = base32(names.filesystem);
    const wait = this.#expect([uuid, pool, filesystem].join(" "));
    try {
      const variables = `STRATISPOOLNAME=${pool} STRATISFSNAME=${filesystem}`;
      native().requestUevent(device.major, device.minor, `change ${uuid} ${variables}`);
    } catch (error) {
      wait.cancel();
      const what = `Failed to notify udev to perform symlink operation on ${formatDeviceNumber(device)}`;
      log.warn(`${what}: ${errorText(error)}`);
      return Promise.resolve();
    }
    return wait.seen.then((seen) => {
      wait.cancel();
      if (!seen) log.warn(`udev has not processed the link ${linkPath(names)} within ${LINK_TIMEOUT_MS} ms`);
    });
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
    }, LINK_TIMEOUT_MS).unref();
    const cancel = (): void => {
      clearTimeout(timer);
      const others = (this.#waiting.get(key) ?? []).filter((waiter) => waiter !== done);
      if (others.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, others);
    };
    return { seen, cancel };
  }
}
