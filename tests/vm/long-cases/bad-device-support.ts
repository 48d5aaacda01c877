/** Devices of device-mapper of which a part fails. */
import { mustRun } from "../cases/support";
import { udevSettled } from "../guest/udev";

export interface BadPart {
  /** Sectors. */
  at: number;
  sectors: number;
}

export interface Piece {
  path: string;
  /** Sectors. */
  size: number;
}

/** Lines of a table that are `length` sectors from `from` on, counted over all pieces. */
function slice(
  pieces: readonly Piece[],
  from: number,
  length: number,
  line: (path: string, at: number) => string,
): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const { path, size } of pieces) {
    const [begin, end] = [Math.max(from, start), Math.min(from + length, start + size)];
    if (begin < end) lines.push(`${begin} ${end - begin} ${line(path, begin - start)}`);
    start += size;
  }
  return lines;
}

const works = (path: string, at: number): string => `linear ${path} ${at}`;
const fails = (): string => "error";

/**
 * A table of pieces one behind the other, with a part that can't be read or written. Flushes are not concerned, which
 * dm-flakey would fail for the whole device.
 */
export function badTable(pieces: readonly Piece[], bad?: BadPart): string[] {
  const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
  if (bad === undefined) return slice(pieces, 0, size, works);
  const end = bad.at + bad.sectors;
  return [
    ...slice(pieces, 0, bad.at, works),
    ...slice(pieces, bad.at, bad.sectors, fails),
    ...slice(pieces, end, size - end, works),
  ];
}

export async function createDevice(name: string, table: readonly string[]): Promise<void> {
  await mustRun("dmsetup", ["create", "--concise", `${name},,,rw,${table.join(",")}`]);
  await udevSettled();
}

/** A command of the shell. What is being written meanwhile is not waited for. */
export const changeCommand = (name: string, table: readonly string[]): string =>
  `set -e; dmsetup suspend --noflush --nolockfs ${name}; ` +
  `printf '%s\\n' ${table.map((line) => `'${line}'`).join(" ")} | dmsetup load ${name}; dmsetup resume ${name}`;

export async function changeDevice(name: string, table: readonly string[]): Promise<void> {
  await mustRun("sh", ["-c", changeCommand(name, table)]);
  await udevSettled();
}
