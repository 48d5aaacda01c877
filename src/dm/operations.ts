/** What the engine does with device-mapper devices, in terms of the addon's ioctls (devicemapper.md §1.11). */
import {
  isNativeError,
  native,
  UDEV_FLAG,
  type DmListEntry,
  type DmReply,
  type DmStep,
  type DmTargetLine,
} from "../native";
import { formatDeviceNumber, type DeviceNumber } from "./device-number";

/** Devices that nobody but Stratis should look at: no blkid scan, no links, foreign udev rules skip them. */
export const PRIVATE_DEVICE =
  UDEV_FLAG.disableSubsystemRules | UDEV_FLAG.disableDiskRules | UDEV_FLAG.disableOtherRules;
/** Filesystem devices: udev probes them, which the /dev/stratis links depend on. */
export const PUBLIC_DEVICE = 0;

/** A device that should exist. Its uuid equals its name, in every layer that Stratis itself makes. */
export interface DmDeviceSpec {
  name: string;
  table: DmTargetLine[];
  udevFlags: number;
}

export type TableMatch = "same" | "reload" | "different";

/** Raised when a live device is not what pool metadata says it must be. */
export class DmMismatchError extends Error {
  override name = "DmMismatchError";
}

export const dmPath = (number: DeviceNumber): string => `/dev/dm-${number.minor}`;

export const tableText = (table: readonly DmTargetLine[]): string =>
  table.map((line) => `${line.start} ${line.length} ${line.type} ${line.params}`).join("; ");

export async function listDmDevices(): Promise<Map<string, DmListEntry>> {
  const { devices } = await native().dmCall({ op: "list" });
  return new Map((devices ?? []).map((device) => [device.name, device]));
}

/** Steps that create, load and resume a device; a failure leaves no device behind. The last reply names it. */
export function createSteps({ name, table, udevFlags }: DmDeviceSpec): DmStep[] {
  return [
    { request: { op: "create", name, uuid: name }, undo: [{ op: "remove", name }] },
    { request: { op: "load", name, targets: table } },
    { request: { op: "resume", name, udevFlags } },
  ];
}

/** The device that the kernel's reply to the last step is about. */
export function lastDevice(replies: readonly (DmReply | null)[]): DeviceNumber {
  const device = replies.at(-1)?.device;
  if (device === undefined) throw new Error("The kernel's reply names no device");
  return { major: device.major, minor: device.minor };
}

export async function createDmDevice(spec: DmDeviceSpec): Promise<DeviceNumber> {
  return lastDevice(await runDmSteps(createSteps(spec)));
}

/**
 * Makes sure that a device with this table is live: creates it, or takes over what an earlier daemon left.
 *
 * `match` judges the live table: "same" is taken as it is, "reload" is replaced by the wanted one (an extension that
 * was interrupted after the metadata was saved), "different" is a DmMismatchError. A device that was left without a
 * table or suspended by a killed daemon is completed and resumed. `created` says whether the device is new.
 */
export async function ensureDmDevice(
  spec: DmDeviceSpec,
  match: (live: DmTargetLine[]) => TableMatch,
): Promise<DeviceNumber & { created: boolean }> {
  const { name } = spec;
  let device;
  try {
    ({ device } = await native().dmCall({ op: "info", name }));
  } catch (error) {
    if (!isNativeError(error) || error.code !== "ENXIO") throw error;
    return { ...(await createDmDevice(spec)), created: true };
  }
  if (device === undefined) throw new Error(`The kernel's reply about ${name} names no device`);
  const number = { major: device.major, minor: device.minor };
  if (device.uuid !== name)
    throw new DmMismatchError(`Device ${name} exists with uuid "${device.uuid}" instead of its own name`);

  const live = device.activeTable ? ((await native().dmCall({ op: "table", name })).targets ?? []) : [];
  const verdict = live.length === 0 ? "reload" : match(live);
  if (verdict === "different")
    throw new DmMismatchError(
      `Device ${name} (${formatDeviceNumber(number)}) exists with table "${tableText(live)}" instead of ` +
        `"${tableText(spec.table)}"`,
    );
  if (verdict === "reload")
    await native().dmSequence(reloadSteps(spec, live.length === 0 ? undefined : live));
  else if (device.suspended || device.inactiveTable)
    await native().dmSequence(settleSteps(spec, device.inactiveTable));
  return { ...number, created: false };
}

function settleSteps(spec: DmDeviceSpec, inactiveTable: boolean): DmStep[] {
  const steps: DmStep[] = [];
  // A table that was loaded and never resumed belongs to an operation that was not finished.
  if (inactiveTable) steps.push({ request: { op: "clear", name: spec.name } });
  steps.push({ request: { op: "resume", name: spec.name, udevFlags: spec.udevFlags } });
  return steps;
}

/**
 * Steps that replace a live table. The kernel suspends (with flush), swaps and resumes inside the one resume ioctl.
 * When that or a later step fails, `previous` is put back: a resume that fails may leave the device suspended, with
 * either table, and whoever uses it would wait for ever. Without `previous` the device is at least resumed.
 */
export function reloadSteps(spec: DmDeviceSpec, previous?: DmTargetLine[]): DmStep[] {
  const { name, udevFlags } = spec;
  const resume = { op: "resume", name, udevFlags } as const;
  const clear = { op: "clear", name } as const;
  const undo: DmStep["undo"] =
    previous === undefined ? [clear, resume] : [{ op: "load", name, targets: previous }, resume, clear];
  return [{ request: { op: "load", name, targets: spec.table }, undo }, { request: resume }];
}

/** Runs the steps in one go; a failure undoes those before it. Returns what the kernel replied to each. */
export function runDmSteps(steps: DmStep[]): Promise<(DmReply | null)[]> {
  return native().dmSequence(steps);
}

/** Removes a device; true if it existed. */
export async function removeDmDevice(name: string): Promise<boolean> {
  try {
    await native().dmCall({ op: "remove", name });
    return true;
  } catch (error) {
    if (isNativeError(error) && error.code === "ENXIO") return false;
    throw error;
  }
}

/** Removes those of the named devices that exist, in the given order; the first failure ends it. */
export async function removeDmDevices(names: readonly string[]): Promise<void> {
  const existing = await listDmDevices();
  for (const name of names) if (existing.has(name)) await removeDmDevice(name);
}

/** Sends a message to a target; resolves to false when it failed with one of the errno names in `tolerated`. */
export async function sendDmMessage(
  name: string,
  message: string,
  tolerated: string[] = [],
): Promise<boolean> {
  try {
    await native().dmCall({ op: "message", name, message });
    return true;
  } catch (error) {
    if (isNativeError(error) && tolerated.includes(error.code)) return false;
    throw error;
  }
}

/**
 * The single status line of a device with one target. `noFlush`: a thin pool tells what it has without writing it to its
 * metadata device first, for which it may have to wait.
 */
export async function dmStatusLine(name: string, options: { noFlush?: boolean } = {}): Promise<DmTargetLine> {
  const { targets } = await native().dmCall({ op: "status", name, ...options });
  const line = targets?.[0];
  if (line === undefined || targets?.length !== 1)
    throw new Error(`Device ${name} has ${targets?.length ?? 0} targets where one is expected`);
  return line;
}
