/** Lines of /etc/fstab. */

export interface FstabLine {
  /** From 1. */
  readonly number: number;
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Blanks and the like are written as three octal digits. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));

export const fstabLines = (text: string): FstabLine[] =>
  text.split("\n").flatMap((line, index) => {
    const [device, mountPoint, type = "auto", options = "defaults"] = line.trim().split(/\s+/);
    if (device === undefined || mountPoint === undefined || device.startsWith("#")) return [];
    return [
      {
        number: index + 1,
        device: unescaped(device),
        mountPoint: unescaped(mountPoint),
        type,
        options: options.split(","),
      },
    ];
  });
