/** Kernel numbers of block devices, the form in which device-mapper tables name devices. */
import { DmFormatError } from "./errors";

export interface DeviceNumber {
  major: number;
  minor: number;
}

/** Bits of the kernel's dev_t. */
const MAX_MAJOR = 2 ** 12 - 1;
const MAX_MINOR = 2 ** 20 - 1;

/** "253:5" */
export const formatDeviceNumber = ({ major, minor }: DeviceNumber): string => `${major}:${minor}`;

/** Throws DmFormatError for anything but two decimal numbers, major and minor, in the kernel's range. */
export function parseDeviceNumber(text: string): DeviceNumber {
  const [, major, minor] = /^([0-9]{1,4}):([0-9]{1,7})$/.exec(text) ?? [];
  const number = { major: Number(major), minor: Number(minor) };
  if (major === undefined || minor === undefined || number.major > MAX_MAJOR || number.minor > MAX_MINOR)
    throw new DmFormatError(`"${text}" is not a device number of the form major:minor`);
  return number;
}

/** Of a device's st_rdev, which goes on with a minor number's upper bits above the major number. */
export const deviceNumberOf = (rdev: bigint): DeviceNumber => ({
  major: Number((rdev >> 8n) & 0xfffn),
  minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n)),
});

export const deviceNumbersEqual = (a: DeviceNumber, b: DeviceNumber): boolean =>
  a.major === b.major && a.minor === b.minor;
