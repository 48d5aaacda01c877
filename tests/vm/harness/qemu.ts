/** QEMU's command line: what the guest's machine is made of. */
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { DIST_NAME, PROJECT, type GuestImage } from "./image";

export interface DiskSpec {
  /** At most 20 characters; the disk is /dev/disk/by-id/virtio-SERIAL in the guest. */
  serial: string;
  sizeBytes: number;
  /** An existing file; a sparse one is made when it is left out. */
  file?: string;
  /** Logical and physical sector size, 512 unless said. */
  sectorBytes?: number;
}

/** "unsafe" ignores the guest's flushes: for disks that are thrown away. "durable": a flush is one. */
export type DiskCache = "unsafe" | "durable";

export interface Machine {
  image: GuestImage;
  /** A root disk of this guest's own, which keeps what is written to it; null: the image, and what is written is lost. */
  ownRoot: string | null;
  /** Folder for sockets and logs. */
  work: string;
  disks: (DiskSpec & { file: string })[];
  cache: DiskCache;
  memoryMiB: number;
  cpus: number;
}

/**
 * The newest processor without AVX, which programs use where they find it, and which emulation makes slow: hashing takes
 * three times as long with QEMU's "max". It has AES instructions, which make emulated encryption fast.
 */
const EMULATED_CPU = "Westmere";

export const CONSOLE_SOCKET = "console.sock";
export const AGENT_SOCKET = "agent.sock";
export const QMP_SOCKET = "qmp.sock";
export const CONSOLE_LOG = "console.log";

/**
 * KVM only where the processor says that it can: some sandboxes offer a /dev/kvm on which a stock guest hangs.
 * STRATIS_VM_ACCEL forces either; "user-mode" is about other guests (user-mode.ts).
 */
export function accelerator(): "kvm" | "tcg" {
  const forced = process.env["STRATIS_VM_ACCEL"];
  if (forced === "kvm" || forced === "tcg") return forced;
  if (forced !== undefined && forced !== "" && forced !== "user-mode")
    throw new Error(`STRATIS_VM_ACCEL must be kvm, tcg or user-mode, it is "${forced}"`);
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))) return "tcg";
  try {
    closeSync(openSync("/dev/kvm", constants.O_RDWR));
    return "kvm";
  } catch {
    // No such device, or not for this user: emulation always works.
    return "tcg";
  }
}

/** A comma separates options for QEMU; in a value it is doubled. */
const value = (text: string): string => text.replaceAll(",", ",,");

export const diskNode = (serial: string): string => `n_${serial}`;

/** Arguments of QMP's blockdev-add; the command line takes the same as JSON. */
export function diskBackend(disk: DiskSpec & { file: string }, cache: DiskCache): Record<string, unknown> {
  return {
    driver: "raw",
    "node-name": diskNode(disk.serial),
    discard: "unmap",
    cache: { direct: false, "no-flush": cache === "unsafe" },
    file: { driver: "file", filename: disk.file, discard: "unmap" },
  };
}

/** Arguments of QMP's device_add; the command line takes the same as JSON. */
export function diskFrontend(disk: DiskSpec, cache: DiskCache): Record<string, unknown> {
  return {
    driver: "virtio-blk-pci",
    id: disk.serial,
    drive: diskNode(disk.serial),
    serial: disk.serial,
    // Write-through for durable disks: whatever the guest saw written survives that QEMU is killed.
    "write-cache": cache === "unsafe" ? "on" : "off",
    ...(disk.sectorBytes === undefined
      ? {}
      : { logical_block_size: disk.sectorBytes, physical_block_size: disk.sectorBytes }),
  };
}

const share = (folder: string, tag: string): string[] => [
  "-virtfs",
  `local,path=${value(folder)},mount_tag=${tag},security_model=none,readonly=on,multidevs=remap`,
];

const socket = (work: string, id: string, name: string, more = ""): string[] => [
  "-chardev",
  `socket,id=${id},path=${value(path.join(work, name))},server=on,wait=off${more}`,
];

/** `kernelArguments` go after those of every guest. */
export function qemuArguments(machine: Machine, kernelArguments = ""): string[] {
  const { image, work } = machine;
  const kernel = [
    "console=ttyS0 quiet panic=-1 mitigations=off audit=0 apparmor=0 nokaslr no_timer_check",
    "systemd.show_status=0",
    `stratis.dist=${DIST_NAME}`,
    ...(machine.ownRoot === null ? [] : ["stratis.root=own"]),
    ...(image.nodeFolder === null ? [] : ["stratis.node=shared"]),
    ...(kernelArguments === "" ? [] : [kernelArguments]),
  ].join(" ");
  const root = machine.ownRoot ?? path.join(image.folder, "root.img");
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-accel", accelerator() === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=512"],
    ...["-cpu", accelerator() === "kvm" ? "host" : EMULATED_CPU],
    ...["-machine", "pc", "-smp", String(machine.cpus), "-m", String(machine.memoryMiB)],
    ...["-kernel", path.join(image.folder, "vmlinuz"), "-initrd", path.join(image.folder, "initrd")],
    ...["-append", kernel],
    ...socket(
      work,
      "console",
      CONSOLE_SOCKET,
      `,logfile=${value(path.join(work, CONSOLE_LOG))},logappend=on`,
    ),
    ...["-serial", "chardev:console"],
    ...socket(work, "qmp", QMP_SOCKET),
    ...["-mon", "chardev=qmp,mode=control"],
    ...["-device", "virtio-serial-pci", ...socket(work, "agent", AGENT_SOCKET)],
    ...["-device", "virtserialport,chardev=agent,name=stratis.agent"],
    ...["-device", "virtio-rng-pci"],
    ...share(PROJECT, "project"),
    ...(image.nodeFolder === null ? [] : share(image.nodeFolder, "node")),
    ...[
      "-drive",
      `file=${value(root)},if=none,id=root,format=raw,${machine.ownRoot === null ? "readonly=on" : "cache=unsafe"}`,
    ],
    ...["-device", "virtio-blk-pci,drive=root,serial=root"],
    ...machine.disks.flatMap((disk) => [
      ...["-blockdev", JSON.stringify(diskBackend(disk, machine.cache))],
      ...["-device", JSON.stringify(diskFrontend(disk, machine.cache))],
    ]),
  ];
}
