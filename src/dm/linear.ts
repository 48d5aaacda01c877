/** The linear target: a device that concatenates ranges of others (devicemapper.md §1.12). Its status is empty. */
import type { DmTargetLine } from "../native";
import { sectors, type Sectors } from "../units";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "./device-number";
import { Params } from "./params";

/** `length` sectors of `device`, from sector `start` of it. */
export interface LinearSegment {
  device: DeviceNumber;
  start: Sectors;
  length: Sectors;
}

/** One line for each segment, in order. Segments are not merged: live tables must compare equal to recorded lists. */
export function linearTable(segments: readonly LinearSegment[]): DmTargetLine[] {
  let position = 0n;
  return segments.map(({ device, start, length }) => {
    const line = {
      start: position,
      length,
      type: "linear",
      params: `${formatDeviceNumber(device)} ${start}`,
    };
    position += length;
    return line;
  });
}

/** Throws DmFormatError unless all lines are linear ones and follow one another from sector 0. */
export function parseLinearTable(lines: readonly DmTargetLine[]): LinearSegment[] {
  let position = 0n;
  return lines.map((line) => {
    const params = new Params(line, "linear");
    if (line.start !== position)
      params.fail(`it does not start at sector ${position}, where the line before ends`);
    const segment = {
      device: params.device("the device"),
      start: sectors(params.number("the start sector")),
      length: sectors(line.length),
    };
    params.end();
    position += line.length;
    return segment;
  });
}

/** Exact equality of all lines in order, of whatever target. */
export function linearTablesEqual(a: readonly DmTargetLine[], b: readonly DmTargetLine[]): boolean {
  return (
    a.length === b.length &&
    a.every((line, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        line.start === other.start &&
        line.length === other.length &&
        line.type === other.type &&
        line.params.trim() === other.params.trim()
      );
    })
  );
}

/**
 * Whether `live` is what `wanted` was before segments were appended to it or its last segment was lengthened: every
 * sector that `live` maps is mapped to the same place by `wanted`. An equal list is a prefix too.
 */
export function isLinearPrefix(live: readonly LinearSegment[], wanted: readonly LinearSegment[]): boolean {
  return live.every((segment, index) => {
    const other = wanted[index];
    if (other === undefined) return false;
    if (!deviceNumbersEqual(segment.device, other.device) || segment.start !== other.start) return false;
    const isLast = index === live.length - 1;
    return segment.length === other.length || (isLast && segment.length < other.length);
  });
}
