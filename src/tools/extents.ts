/** What the parts of one device are used for, as a pool's record says, right or wrong. */
import type { Segment } from "../disk/space";
import { sectors, sumSectors, type Sectors } from "../units";
import { ToolError } from "./tool";

export interface Extent extends Segment {
  use: string;
}

const UNUSED = "unused";
const USE_COLUMNS = 20;
const NUMBER_COLUMNS = 12;

const endOf = ({ start, length }: Segment): Sectors => sectors(start + length);
const later = (a: Sectors, b: Sectors): Sectors => (a > b ? a : b);

export class ExtentMap {
  readonly #extents = new Map<Sectors, Extent>();

  /** `from`: the first sector that may be used; what is before it belongs to somebody else. */
  constructor(
    readonly what: string,
    readonly from: Sectors,
  ) {}

  /** Throws ToolError when two extents begin at one sector, because then no map can show both. */
  add(use: string, segments: Iterable<Segment>): this {
    for (const { start, length } of segments) {
      const there = this.#extents.get(start);
      if (there !== undefined)
        throw new ToolError(
          `Key collision: ${start} sectors already in extents table of ${this.what}, for ${there.use}; ` +
            `it is wanted for ${use} too`,
        );
      this.#extents.set(start, { start, length, use });
    }
    return this;
  }

  get size(): number {
    return this.#extents.size;
  }

  /** In ascending order. */
  sorted(): Extent[] {
    return [...this.#extents.values()].sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  of(use: string): Extent[] {
    return this.sorted().filter((extent) => extent.use === use);
  }

  sum(use: string): Sectors {
    return sumSectors(this.of(use).map(({ length }) => length));
  }

  /** One finding for each extent that begins before the end of what is in front of it. */
  overlaps(): string[] {
    const findings: string[] = [];
    let taken = this.from;
    for (const extent of this.sorted()) {
      if (extent.start < taken)
        findings.push(
          `${extent.length} sectors at sector ${extent.start} for ${extent.use} overlap what is in front of them, ` +
            `which extends to sector ${taken}`,
        );
      taken = later(taken, endOf(extent));
    }
    return findings;
  }

  /** In ascending order, with extents for what is unused between the others. */
  #filled(): Extent[] {
    const all: Extent[] = [];
    let taken = this.from;
    for (const extent of this.sorted()) {
      if (extent.start > taken)
        all.push({ start: taken, length: sectors(extent.start - taken), use: UNUSED });
      all.push(extent);
      taken = later(taken, endOf(extent));
    }
    return all;
  }

  /** One line for each extent. */
  text(): string {
    const number = (value: Sectors): string => value.toString().padStart(NUMBER_COLUMNS);
    const lines = this.#filled().map(
      (extent, index) =>
        `${index}: Use: ${extent.use.padEnd(USE_COLUMNS)} ${number(extent.start)} + ${number(extent.length)} = ` +
        `${number(endOf(extent))} sectors\n`,
    );
    return lines.join("");
  }
}
