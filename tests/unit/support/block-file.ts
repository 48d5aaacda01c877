/** BlockFiles for tests: a sparse one in memory that records what is done to it, and one over a regular file. */
import { open, type FileHandle } from "node:fs/promises";
import type { BlockFile, BlockFileInfo } from "../../../src/native";

const PAGE_BYTES = 4096;

export type BlockOperation =
  | { kind: "write"; offset: bigint; data: Buffer }
  | { kind: "zero"; offset: bigint; length: bigint }
  | { kind: "sync" };

const info = (size: bigint): BlockFileInfo => ({
  size,
  isBlockDevice: false,
  readOnly: false,
  logicalSectorSize: 512,
  physicalSectorSize: 512,
  major: 0,
  minor: 0,
});

export function ioError(what: string, offset: bigint): Error {
  return Object.assign(new Error(`${what} at byte ${offset}: input/output error`), { code: "EIO" });
}

const touches = (ranges: { offset: bigint; length: bigint }[], offset: bigint, length: number): boolean =>
  ranges.some((range) => range.offset < offset + BigInt(length) && offset < range.offset + range.length);

/** A device of any size; pages that were never written read as zeros. */
export class MemoryBlockFile implements BlockFile {
  /** Everything that was done since the start, or since the list was cleared. */
  operations: BlockOperation[] = [];
  /** Byte ranges whose reading fails. */
  unreadable: { offset: bigint; length: bigint }[] = [];
  /** Byte ranges whose writing fails, with nothing written. */
  unwritable: { offset: bigint; length: bigint }[] = [];
  readonly #pages = new Map<bigint, Buffer>();

  constructor(readonly size: bigint) {}

  static from(content: Uint8Array, size = BigInt(content.length)): MemoryBlockFile {
    const file = new MemoryBlockFile(size);
    file.poke(0n, content);
    return file;
  }

  clone(): MemoryBlockFile {
    const copy = new MemoryBlockFile(this.size);
    for (const [index, page] of this.#pages) copy.#pages.set(index, Buffer.from(page));
    copy.unreadable = [...this.unreadable];
    return copy;
  }

  /** All pages that were ever written. */
  *pages(): Generator<{ offset: bigint; data: Buffer }> {
    for (const [index, data] of this.#pages) yield { offset: index * BigInt(PAGE_BYTES), data };
  }

  info(): Promise<BlockFileInfo> {
    return Promise.resolve(info(this.size));
  }

  /** Reads without any simulated failure. */
  peek(offset: bigint, length: number): Buffer {
    if (offset < 0n || offset + BigInt(length) > this.size) throw ioError("Reading", offset);
    const data = Buffer.alloc(length);
    this.#eachPage(offset, length, (index, inPage, inData, count) => {
      this.#pages.get(index)?.copy(data, inData, inPage, inPage + count);
    });
    return data;
  }

  /** Writes without recording it. */
  poke(offset: bigint, data: Uint8Array): void {
    if (offset < 0n || offset + BigInt(data.length) > this.size) throw ioError("Writing", offset);
    this.#eachPage(offset, data.length, (index, inPage, inData, count) => {
      const page = this.#pages.get(index) ?? Buffer.alloc(PAGE_BYTES);
      page.set(data.subarray(inData, inData + count), inPage);
      this.#pages.set(index, page);
    });
  }

  #eachPage(
    offset: bigint,
    length: number,
    visit: (index: bigint, inPage: number, inData: number, count: number) => void,
  ): void {
    for (let done = 0; done < length;) {
      const position = offset + BigInt(done);
      const inPage = Number(position % BigInt(PAGE_BYTES));
      const count = Math.min(PAGE_BYTES - inPage, length - done);
      visit(position / BigInt(PAGE_BYTES), inPage, done, count);
      done += count;
    }
  }

  read(offset: bigint, length: number): Promise<Buffer> {
    const bad = touches(this.unreadable, offset, length);
    // Errors come as rejections, never at once: callers may have several calls under way.
    return new Promise((resolve) => {
      if (bad) throw ioError("Reading", offset);
      resolve(this.peek(offset, length));
    });
  }

  write(offset: bigint, data: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (touches(this.unwritable, offset, data.length)) throw ioError("Writing", offset);
      this.poke(offset, data);
      this.operations.push({ kind: "write", offset, data: Buffer.from(data) });
      resolve();
    });
  }

  zero(offset: bigint, length: bigint): Promise<void> {
    this.poke(offset, Buffer.alloc(Number(length)));
    this.operations.push({ kind: "zero", offset, length });
    return Promise.resolve();
  }

  discard(offset: bigint, length: bigint): Promise<void> {
    return this.zero(offset, length);
  }

  sync(): Promise<void> {
    this.operations.push({ kind: "sync" });
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A regular file as device. */
export class RegularBlockFile implements BlockFile {
  /** Offsets of all writes so far. */
  readonly writes: { offset: bigint; length: number }[] = [];

  private constructor(private readonly handle: FileHandle) {}

  static async open(path: string): Promise<RegularBlockFile> {
    return new RegularBlockFile(await open(path, "r+"));
  }

  async info(): Promise<BlockFileInfo> {
    return info((await this.handle.stat({ bigint: true })).size);
  }

  async read(offset: bigint, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length);
    const { bytesRead } = await this.handle.read(data, 0, length, Number(offset));
    if (bytesRead !== length) throw ioError("Reading", offset);
    return data;
  }

  async write(offset: bigint, data: Uint8Array): Promise<void> {
    const { bytesWritten } = await this.handle.write(data, 0, data.length, Number(offset));
    if (bytesWritten !== data.length) throw ioError("Writing", offset);
    this.writes.push({ offset, length: data.length });
  }

  async zero(offset: bigint, length: bigint): Promise<void> {
    await this.write(offset, Buffer.alloc(Number(length)));
  }

  async discard(offset: bigint, length: bigint): Promise<void> {
    await this.zero(offset, length);
  }

  async sync(): Promise<void> {
    await this.handle.sync();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/**
 * The states in which a crash may leave the device `before`, when `operations` were under way: after every operation,
 * and within every write, cut off after each of `cuts(length)` bytes.
 */
export function* crashStates(
  before: MemoryBlockFile,
  operations: readonly BlockOperation[],
  cuts: (length: number) => number[],
): Generator<{ state: MemoryBlockFile; what: string }> {
  yield { state: before.clone(), what: "before the first operation" };
  const done = before.clone();
  for (const [index, operation] of operations.entries()) {
    if (operation.kind === "sync") continue;
    const { offset } = operation;
    const data = operation.kind === "write" ? operation.data : Buffer.alloc(Number(operation.length));
    for (const cut of cuts(data.length)) {
      const torn = done.clone();
      torn.poke(offset, data.subarray(0, cut));
      yield { state: torn, what: `operation ${index} torn after ${cut} of ${data.length} bytes` };
    }
    done.poke(offset, data);
    yield { state: done.clone(), what: `after operation ${index}` };
  }
}
