/**
 * The log of device-mapper's log-writes target, and its replay (the kernel's
 * Documentation/admin-guide/device-mapper/log-writes.rst): what a device durably held at any moment.
 *
 * The target puts a write into the log when it is durable: one with FUA at its end, any other before the flush that
 * follows its end. So every beginning of the log that ends with a flush, a FUA write or a mark is what a power cut at
 * that moment leaves.
 */
import { open, type FileHandle } from "node:fs/promises";

const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
/** Of all units in the log's super block and entries. */
const SECTOR_BYTES = 512;
const SUPER_BYTES = 28;
const ENTRY_BYTES = 32;
const PIECE_BYTES = 4 * 1024 * 1024;

const FLAG = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const;

export interface LogEntry {
  /** Bytes from the start of the logged device. */
  at: number;
  length: number;
  /** Of the data in the log; null: there is none, what is there becomes zeros (a discard). */
  data: number | null;
  /** What is before it, and it, is durable. */
  durable: boolean;
  /** Text of a mark, which was put in by a message to the target. */
  mark: string | null;
}

/** The super block's number of entries, which says what of the log is valid. Throws for what is no such log. */
export function parseSuper(block: Buffer): number {
  if (block.length < SUPER_BYTES || block.readBigUInt64LE(0) !== MAGIC)
    throw new Error("This is no log of the log-writes target");
  if (block.readBigUInt64LE(8) !== VERSION)
    throw new Error(`The log has version ${block.readBigUInt64LE(8)} instead of ${VERSION}`);
  const sectorBytes = block.readUInt32LE(24);
  if (sectorBytes !== SECTOR_BYTES)
    throw new Error(`The log counts in sectors of ${sectorBytes} bytes instead of ${SECTOR_BYTES}`);
  return Number(block.readBigUInt64LE(16));
}

/** `sector`: of the entry, at `offset` bytes in the log. Its data, if any, follow in the next sector. */
export function parseEntry(sector: Buffer, offset: number): LogEntry {
  const [at, count, flags, dataLength] = [0, 8, 16, 24].map((field) => sector.readBigUInt64LE(field));
  if (at === undefined || count === undefined || flags === undefined || dataLength === undefined)
    throw new Error(`The log's entry at ${offset} is cut off`);
  const has = (flag: bigint): boolean => (flags & flag) !== 0n;
  const isMark = has(FLAG.mark);
  const length = Number(count) * SECTOR_BYTES;
  return {
    at: Number(at) * SECTOR_BYTES,
    length,
    data: has(FLAG.discard) || isMark || length === 0 ? null : offset + SECTOR_BYTES,
    durable: isMark || has(FLAG.flush) || has(FLAG.fua),
    mark: isMark ? sector.toString("utf8", ENTRY_BYTES, ENTRY_BYTES + Number(dataLength)) : null,
  };
}

/** Where the entry after one at `offset` begins. */
export const nextOffset = (entry: LogEntry, offset: number): number =>
  offset + SECTOR_BYTES + (entry.data === null ? 0 : entry.length);

export class WriteLog {
  private constructor(
    private readonly file: FileHandle,
    readonly entries: readonly LogEntry[],
  ) {}

  /** Reads all entries, not their data. */
  static async open(path: string): Promise<WriteLog> {
    const file = await open(path, "r");
    try {
      const sector = Buffer.alloc(SECTOR_BYTES);
      await file.read(sector, 0, SECTOR_BYTES, 0);
      const count = parseSuper(sector);
      const entries: LogEntry[] = [];
      let offset = SECTOR_BYTES;
      while (entries.length < count) {
        const { bytesRead } = await file.read(sector, 0, SECTOR_BYTES, offset);
        if (bytesRead < SECTOR_BYTES) throw new Error(`The log ends before entry ${entries.length + 1}`);
        const entry = parseEntry(sector, offset);
        entries.push(entry);
        offset = nextOffset(entry, offset);
      }
      return new WriteLog(file, entries);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * The moments that differ in what is durable, as numbers of entries. Of those that don't, the last one, because it has
   * the most marks.
   */
  moments(): number[] {
    const moments: number[] = [];
    let changed = true;
    this.entries.forEach(({ durable, mark, length }, index) => {
      changed ||= mark === null && length > 0;
      if (!durable) return;
      if (!changed) moments.pop();
      moments.push(index + 1);
      changed = false;
    });
    return moments;
  }

  /** How many marks were put in before so many entries were durable. */
  marksBefore(moment: number): number {
    return this.entries.slice(0, moment).filter(({ mark }) => mark !== null).length;
  }

  /** Does again to `target`, which began as the logged device did, what entries `from` up to `to` (excluded) did. */
  async replay(target: FileHandle, from: number, to: number): Promise<void> {
    for (const { at, length, data, mark } of this.entries.slice(from, to)) {
      if (mark !== null) continue;
      for (let done = 0; done < length; done += PIECE_BYTES) {
        const bytes = Buffer.alloc(Math.min(PIECE_BYTES, length - done));
        if (data !== null) await this.#read(bytes, data + done);
        await target.write(bytes, 0, bytes.length, at + done);
      }
    }
    await target.sync();
  }

  async #read(into: Buffer, offset: number): Promise<void> {
    const { bytesRead } = await this.file.read(into, 0, into.length, offset);
    if (bytesRead < into.length) throw new Error(`The log ends within the data at ${offset}`);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
