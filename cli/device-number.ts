/** Numbers of devices. */

/** "major:minor" of a device number as stat gives it: the form of sysfs and of mountinfo. */
export function deviceNumber(rdev: bigint): string {
  // The kernel's encoding of device numbers for user space: 12 low and 20 high bits of the major number, 8 and 24 of
  // the minor number, interleaved.
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
