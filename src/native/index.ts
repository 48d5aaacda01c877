/**
 * The one door to the addon: its types, and the only place that loads it.
 *
 * Every function that returns a promise runs off the event loop, on libuv's thread pool. Failures are Error
 * objects with the members of NativeError. Sizes and offsets in bytes unless the name says otherwise.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { CryptAddon, KeyringAddon, Secret, SecretAddon } from "./crypt";

export type * from "./crypt";

/** Device-mapper flags that udev's rules obey, the upper half of a udev cookie (libdevmapper's DM_UDEV_*). */
export const UDEV_FLAG = {
  disableDmRules: 0x01,
  disableSubsystemRules: 0x02,
  disableDiskRules: 0x04,
  disableOtherRules: 0x08,
  lowPriority: 0x10,
  disableLibraryFallback: 0x20,
} as const;

/** One line of a device-mapper table, or of a target's status. `start` and `length` in sectors. */
export interface DmTargetLine {
  start: bigint;
  length: bigint;
  /** At most 15 ASCII characters. */
  type: string;
  params: string;
}

export interface DmDeviceInfo {
  name: string;
  /** Empty string where the device has none. */
  uuid: string;
  major: number;
  minor: number;
  openCount: number;
  targetCount: number;
  eventNr: number;
  readOnly: boolean;
  suspended: boolean;
  activeTable: boolean;
  inactiveTable: boolean;
}

export interface DmListEntry {
  name: string;
  /** null: the kernel is too old to list uuids (interface < 4.45); "" : the device has none. */
  uuid: string | null;
  major: number;
  minor: number;
  eventNr: number;
}

/** One device-mapper ioctl. Devices are addressed by name. */
export type DmRequest =
  | { op: "version" }
  | { op: "list" }
  /** DM_DEV_ARM_POLL on the descriptor that dmControlFd() returns. */
  | { op: "arm" }
  | { op: "create"; name: string; uuid: string }
  /** EBUSY is retried: `attempts` in all (5), 200 ms apart, because udev may be probing the device. */
  | { op: "remove"; name: string; deferred?: boolean; attempts?: number }
  | { op: "rename"; name: string; newName: string }
  /** DM_DEV_RENAME with DM_UUID_FLAG: give a uuid to a device that has none. */
  | { op: "setUuid"; name: string; uuid: string }
  | { op: "suspend"; name: string; noFlush?: boolean; skipLockFs?: boolean }
  /** `udevFlags`: UDEV_FLAG bits for the cookie. Returns when udev has run its rules for the device. */
  | { op: "resume"; name: string; udevFlags?: number }
  | { op: "load"; name: string; targets: DmTargetLine[]; readOnly?: boolean; secureData?: boolean }
  | { op: "clear"; name: string }
  | { op: "info"; name: string }
  | { op: "table"; name: string; inactive?: boolean; secureData?: boolean }
  | { op: "status"; name: string; noFlush?: boolean }
  | { op: "deps"; name: string; inactive?: boolean }
  | { op: "message"; name: string; sector?: bigint; message: string };

export interface DmReply {
  /** The kernel's device-mapper interface version. */
  version: [number, number, number];
  /** How long the ioctl took, with its further attempts, and without waiting for udev. */
  microseconds: number;
  /** All but version, list, arm. */
  device?: DmDeviceInfo;
  /** table, status */
  targets?: DmTargetLine[];
  /** list */
  devices?: DmListEntry[];
  /** deps */
  dependencies?: { major: number; minor: number }[];
  /** message, where the target answered with text */
  text?: string;
}

/** A step of dmSequence. */
export interface DmStep {
  request: DmRequest;
  /** Run, all of them and best effort, when a *later* step fails; undo lists run in reverse order of steps. */
  undo?: DmRequest[];
  /** Names of errno values ("ENXIO") that count as success of this step; its reply is then null. */
  ignore?: string[];
}

export interface NativeError extends Error {
  /** Name of the errno, "EBUSY"; or "ETIMEDOUT", "EINVAL" for the addon's own checks. */
  code: string;
  errno: number;
  /** The ioctl or call that failed: "DM_TABLE_LOAD", "mount". */
  syscall: string;
  /** What it was called on. */
  target: string;
  /** dmSequence: index of the step that failed. */
  step?: number;
  /** dmSequence: texts of undo requests that failed; empty when all was undone. */
  undoErrors?: string[];
}

export interface UdevDevice {
  /** "add", "change", "remove", ...; null for devices from the database. */
  action: string | null;
  /** udev has processed the device's rules. */
  initialized: boolean;
  /** "/dev/vda"; null where the device has no node. */
  devnode: string | null;
  /** null where the device has no number. */
  major: number | null;
  minor: number | null;
  sysPath: string;
  properties: Record<string, string>;
}

export interface BlkidResult {
  /** Superblock type such as "stratis" or "xfs", null where none was found. */
  type: string | null;
  usage: string | null;
  uuid: string | null;
  /** Partition table type, null where there is none. */
  partitionTable: string | null;
  partitions: number;
  /** Several contradictory signatures were found; type is then null. */
  ambivalent: boolean;
}

export interface BlockFileInfo {
  /** Bytes: BLKGETSIZE64, or the size of a regular file. */
  size: bigint;
  isBlockDevice: boolean;
  readOnly: boolean;
  /** BLKSSZGET; 512 for a regular file. */
  logicalSectorSize: number;
  /** BLKPBSZGET; 512 for a regular file. */
  physicalSectorSize: number;
  /** Of the device itself (st_rdev); 0 for a regular file. */
  major: number;
  minor: number;
}

export interface BlockFileOptions {
  write?: boolean;
  /** O_EXCL: fails with EBUSY when the block device is mounted, swapped on or held by another exclusive opener. */
  exclusive?: boolean;
  /** O_DIRECT: offset, length must be multiples of the logical sector size; the addon aligns the memory. */
  direct?: boolean;
}

/** An open block device (or regular file, for tests). Every handle must be closed; closing twice is an error. */
export interface BlockFile {
  info(): Promise<BlockFileInfo>;
  /** Reads exactly `length` bytes (at most 64 MiB); a short read is an EIO error. */
  read(offset: bigint, length: number): Promise<Buffer>;
  /** Writes all of `data`. */
  write(offset: bigint, data: Uint8Array): Promise<void>;
  /** Zeroes a range, by BLKZEROOUT where the kernel offers it. */
  zero(offset: bigint, length: bigint): Promise<void>;
  /** BLKDISCARD. */
  discard(offset: bigint, length: bigint): Promise<void>;
  /** fsync. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface MountOptions {
  source: string;
  target: string;
  type: string;
  readOnly?: boolean;
  /** File system specific options, comma separated. */
  data?: string;
}

export interface StatFs {
  /** f_type */
  type: bigint;
  /** f_frsize: bytes per block in the counts below. */
  blockSize: bigint;
  blocks: bigint;
  blocksFree: bigint;
  blocksAvailable: bigint;
}

export interface RunOptions {
  stdin?: Uint8Array;
  /** In its place: a passphrase, as a line. */
  stdinLine?: Secret;
  /** Milliseconds; then the child is killed and the call rejects with code ETIMEDOUT. Default 600000. */
  timeoutMs?: number;
  /** The child gets SIGKILL when this process dies. Default true. */
  dieWithParent?: boolean;
  /** Standard output is a passphrase: it comes as `secret`, cut at 4 KiB, and `stdout` is empty. */
  secretOutput?: boolean;
  /** The child finds the keys of root's persistent keyring. Default false. */
  keyring?: boolean;
  /** NAME=value; default: PATH and LC_ALL=C only. */
  environment?: string[];
}

export interface RunResult {
  /** Exit status, null when ended by a signal. */
  status: number | null;
  /** Name or number of the signal. */
  signal: string | null;
  /** At most 1 MiB each; what is longer is cut. */
  stdout: string;
  stderr: string;
  /** With secretOutput. */
  secret?: Secret;
}

export interface ReplaceFileOptions {
  path: string;
  temporary: string;
  /** At most 1 MiB. */
  data: Uint8Array;
}

export interface AppendOptions {
  path: string;
  /** At most 1 MiB. */
  data: Uint8Array;
  /** How many bytes the file may have then. A file that is empty takes all the same. */
  limit: bigint;
}

export interface FileLock {
  /** File content at the time of the attempt, at most 4 KiB. */
  content: string;
  /** True when this process holds the lock now (until it ends or calls release). */
  acquired: boolean;
  /** Truncates the file and writes `text`. Only with the lock held. */
  write(text: string): void;
  release(): void;
}

/** Readiness of a descriptor, by uv_poll on the event loop. Level-triggered: stop() before slow work, start() after. */
export interface FdPoll {
  start(): void;
  stop(): void;
  /** Stops for ever and lets the event loop end. The descriptor stays open: its owner closes it. */
  close(): void;
}

/** A stream to a local server that carries file descriptors along. Nothing here waits. */
export interface UnixSocket {
  /** For FdPoll; two, because each is watched for one purpose only. */
  readonly readableFd: number;
  readonly writableFd: number;
  /**
   * What has arrived, at most `most` bytes (1 MiB at the utmost); null: nothing for now; without bytes: the end. The
   * descriptors are close-on-exec and the caller's to close (closeDescriptor). Fails with EMFILE when the process has
   * no room for them.
   */
  receive(most: number): { data: Buffer; descriptors: number[] } | null;
  /** The number of bytes that were taken, 0 when there is no room now. Descriptors go with the first byte. */
  send(data: Uint8Array, descriptors?: readonly number[]): number;
  /** Tells the other side that nothing more will come; it can still send. */
  endWriting(): void;
  close(): void;
}

/** A socket that local clients connect to. Nothing here waits. */
export interface UnixListener {
  /** For FdPoll. */
  readonly fd: number;
  /** null: nobody waits. `fd` is for a UnixSocket, which owns it then; the peer is the process that connected. */
  accept(): { fd: number; pid: number; uid: number } | null;
  /** Leaves the file of the socket. */
  close(): void;
}

export interface UdevMonitor {
  /** For FdPoll. */
  readonly fd: number;
  /** Takes everything that is queued. `overflow`: the kernel dropped events (ENOBUFS), a rescan is due. */
  receive(): Promise<{ events: UdevDevice[]; overflow: boolean }>;
  close(): void;
}

export interface NativeAddon extends SecretAddon, KeyringAddon, CryptAddon {
  // device-mapper
  dmCall(request: DmRequest): Promise<DmReply>;
  /**
   * Runs ioctls one after another in one job on one thread, so that nothing of JavaScript (allocation, page
   * faults, other work) comes between a suspend and its resume. Returns when udev has run its rules for the devices.
   */
  dmSequence(steps: DmStep[]): Promise<(DmReply | null)[]>;
  /** Opens /dev/mapper/control on first use and returns the descriptor, for FdPoll. Throws when it can't. */
  dmControlFd(): number;
  /** Parser of DM_LIST_DEVICES results, exported for tests: `data` is the result area after the header. */
  dmParseNameList(data: Uint8Array, minorVersion: number): DmListEntry[];
  /** Parser of table and status results, exported for tests. */
  dmParseTargets(data: Uint8Array, targetCount: number): DmTargetLine[];
  /** Parser of DM_TABLE_DEPS results, exported for tests. */
  dmParseDeps(data: Uint8Array): { major: number; minor: number }[];

  // events
  /** Watches for what can be read, or, with `writable`, for room to write. */
  FdPoll: new (fd: number, onReady: () => void, writable?: boolean) => FdPoll;
  UdevMonitor: new (subsystem: string) => UdevMonitor;
  udevEnumerate(filter: { subsystem: string; properties?: Record<string, string> }): Promise<UdevDevice[]>;
  /** From udev's database; null when there is no such block device. */
  udevBlockDevice(major: number, minor: number): Promise<UdevDevice | null>;
  /**
   * Makes the kernel send a synthetic event of a block device: `request` is the name of the action, and perhaps a UUID and
   * variables. Returns when it is sent; synchronous, because sysfs is memory.
   */
  requestUevent(major: number, minor: number, request: string): void;

  // block devices
  openBlockFile(path: string, options?: BlockFileOptions): Promise<BlockFile>;
  blkidProbe(path: string): Promise<BlkidResult>;

  // file systems
  mount(options: MountOptions): Promise<void>;
  unmount(target: string): Promise<void>;
  /** MS_SLAVE | MS_REC on the mount at `target`. */
  makeMountSlave(target: string): Promise<void>;
  statFs(path: string): Promise<StatFs>;

  // sockets and what comes through them
  /**
   * Connects at once to the socket whose path is given as bytes; a first NUL makes it a name in the abstract namespace.
   * Or takes over a connection that UnixListener accepted.
   */
  UnixSocket: new (pathOrFd: Uint8Array | number) => UnixSocket;
  /** Listens at a path, as given to UnixSocket, where nothing may be. Only this process's user may connect. */
  UnixListener: new (path: Uint8Array) => UnixListener;
  /**
   * Sends `data`, 1 to 65536 bytes, to a datagram socket, whose address is given as to UnixSocket. Does not wait: false
   * when the receiver has no room. Fails with ENOENT or ECONNREFUSED when there is none.
   */
  sendDatagram(address: Uint8Array, data: Uint8Array): boolean;
  /** A pipe that holds `data`, at most 4096 bytes. Both ends are the caller's to close. */
  pipeWith(data: Uint8Array | Secret): { readEnd: number; writeEnd: number };
  /** Not for standard streams. */
  closeDescriptor(fd: number): void;

  // processes and files
  /** Runs a program without a shell; `file` is an absolute path, `args` come after argv[0]. */
  run(file: string, args: string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Writes `temporary`, in the same folder, and gives it the name `path`: a crash leaves the old file or the new one, and
   * perhaps the temporary one. For a power cut in between that relies on the order of XFS's log: not for other kinds of
   * filesystems. Returns when all of it is on the disk. A new file has the mode 0600.
   */
  replaceFile(options: ReplaceFileOptions): Promise<void>;
  /** unlink; returns when the folder without the file is on the disk. */
  removeFile(path: string): Promise<void>;
  /**
   * Writes at the end of a regular file, which is made with the mode 0600 where it is missing; a symbolic link is not
   * followed. Resolves to false, with nothing written, when the file would become longer than the limit.
   */
  appendToFile(options: AppendOptions): Promise<boolean>;
  /** open(O_CREAT|O_CLOEXEC, 0644) and flock(LOCK_EX|LOCK_NB). Synchronous: meant for start-up only. */
  lockFile(path: string): FileLock;
}

/** The nearest folder above this file that has a package.json: the file may be a part of a bundle. */
function findRoot(): string {
  let folder = __dirname;
  while (!existsSync(path.join(folder, "package.json"))) {
    const above = path.dirname(folder);
    if (above === folder) throw new Error(`No folder above ${__dirname} has a package.json`);
    folder = above;
  }
  return folder;
}

/** The root of the installed tree. */
export const packageRoot = findRoot();

function load(): NativeAddon {
  // A build under AddressSanitizer lives in a folder of its own and is chosen by the environment, in tests only.
  const folder = process.env["STRATIS_NATIVE_BUILD"] ?? path.join(packageRoot, "build", "Release");
  // In a process that started from a snapshot, the bundle's own require() knows only the modules of Node itself.
  const { createRequire } = process.getBuiltinModule("node:module");
  return createRequire(path.join(packageRoot, "package.json"))(
    path.join(folder, "stratis_native.node"),
  ) as NativeAddon;
}

let addon: NativeAddon | undefined;

/** The addon, loaded on first use, so that programs and the simulator that need none of it don't pay for it. */
export function native(): NativeAddon {
  addon ??= load();
  return addon;
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && "code" in error && "syscall" in error && "errno" in error;
}
