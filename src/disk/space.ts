/** Free and used ranges of one device (on-disk-format.md §8.1-§8.3). */
import { sectors, type Sectors } from "../units";
import { DiskFormatError } from "./errors";

/** A range of sectors. */
export interface Segment {
  start: Sectors;
  length: Sectors;
}

const endOf = (segment: Segment): Sectors => sectors(segment.start + segment.length);
const rangeText = (segment: Segment): string => `[${segment.start}, ${endOf(segment)})`;

/** Hands out ranges of [0, limit). All sizes in sectors. */
export class SegmentAllocator {
  #limit: Sectors;
  /** Disjoint, in ascending order, none empty, none adjacent to the next. */
  #used: Segment[] = [];

  /** Throws DiskFormatError when used segments overlap one another or reach beyond the limit. Order is free. */
  constructor(limit: Sectors, used: Iterable<Segment>) {
    this.#limit = limit;
    const sorted = [...used]
      .filter((segment) => segment.length !== 0n)
      .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    for (const segment of sorted) {
      if (segment.start < 0n || segment.length < 0n || endOf(segment) > limit)
        throw new DiskFormatError(
          `Sectors ${rangeText(segment)} are recorded as used on a device of ${limit} sectors`,
        );
      const last = this.#used.at(-1);
      if (last !== undefined && segment.start < endOf(last))
        throw new DiskFormatError(
          `Sectors ${rangeText(segment)} are recorded as used twice: ${rangeText(last)} are used already`,
        );
      this.#append(segment);
    }
  }

  #append(segment: Segment): void {
    const last = this.#used.at(-1);
    if (last !== undefined && endOf(last) === segment.start)
      this.#used[this.#used.length - 1] = {
        start: last.start,
        length: sectors(last.length + segment.length),
      };
    else this.#used.push({ start: segment.start, length: segment.length });
  }

  get limit(): Sectors {
    return this.#limit;
  }

  get usedSectors(): Sectors {
    return sectors(this.#used.reduce((sum, { length }) => sum + length, 0n));
  }

  get availableSectors(): Sectors {
    return sectors(this.#limit - this.usedSectors);
  }

  #free(): Segment[] {
    const free: Segment[] = [];
    let position = sectors(0n);
    for (const segment of this.#used) {
      if (segment.start > position) free.push({ start: position, length: sectors(segment.start - position) });
      position = endOf(segment);
    }
    if (position < this.#limit) free.push({ start: position, length: sectors(this.#limit - position) });
    return free;
  }

  /** Takes up to `want` sectors, lowest free ranges first. Fewer when there are fewer; in ascending order. */
  allocateFront(want: Sectors): Segment[] {
    return this.#allocate(want, this.#free(), (range, length) => ({ start: range.start, length }));
  }

  /** Takes up to `want` sectors from the ends of the highest free ranges. Fewer when there are fewer; ascending. */
  allocateBack(want: Sectors): Segment[] {
    return this.#allocate(want, this.#free().reverse(), (range, length) => ({
      start: sectors(endOf(range) - length),
      length,
    })).reverse();
  }

  #allocate(want: Sectors, free: Segment[], cut: (range: Segment, length: Sectors) => Segment): Segment[] {
    if (want < 0n) throw new RangeError(`${want} sectors can't be allocated`);
    const taken: Segment[] = [];
    let missing: bigint = want;
    for (const range of free) {
      if (missing === 0n) break;
      const piece = cut(range, sectors(missing < range.length ? missing : range.length));
      missing -= piece.length;
      taken.push(piece);
    }
    this.#replace([...this.#used, ...taken]);
    return taken;
  }

  #replace(used: Segment[]): void {
    this.#used = new SegmentAllocator(this.#limit, used).#used;
  }

  /** The device has grown to `newLimit` sectors. Throws RangeError when that is less than before. */
  grow(newLimit: Sectors): void {
    if (newLimit < this.#limit)
      throw new RangeError(`A device of ${this.#limit} sectors can't be grown to ${newLimit} sectors`);
    this.#limit = newLimit;
  }

  /** Gives segments back. Throws RangeError, with nothing changed, unless all of them are in use. */
  release(segments: Iterable<Segment>): void {
    let used = this.#used;
    for (const segment of segments) {
      if (segment.length === 0n) continue;
      const holder = used.find((range) => range.start <= segment.start && endOf(segment) <= endOf(range));
      if (holder === undefined || segment.length < 0n)
        throw new RangeError(`Sectors ${rangeText(segment)} can't be released: they are not all in use`);
      used = used
        .filter((range) => range !== holder)
        .concat(
          { start: holder.start, length: sectors(segment.start - holder.start) },
          { start: endOf(segment), length: sectors(endOf(holder) - endOf(segment)) },
        );
    }
    this.#replace(used);
  }

  clone(): SegmentAllocator {
    return new SegmentAllocator(this.#limit, this.#used);
  }
}
