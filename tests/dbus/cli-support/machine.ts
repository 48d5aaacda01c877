/** A machine that is a directory: the files that `stratis doctor` examines. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export class FakeMachine {
  private constructor(readonly root: string) {}

  /** With everything in order. */
  static async make(): Promise<FakeMachine> {
    const machine = new FakeMachine(await mkdtemp(join(tmpdir(), "stratis-machine-")));
    await machine.file("usr/lib/systemd/system/stratisd.service", "");
    await machine.file("usr/share/dbus-1/system.d/stratisd.conf", '<allow own="org.storage.stratis3"/>');
    await machine.file("run/udev/control", "");
    await machine.file(
      "usr/lib/udev/rules.d/61-stratisd.rules",
      'IMPORT{program}="stratis-base32-decode X $env{Y}"\nPROGRAM=="stratis-str-cmp a b", RESULT=="0"\n',
    );
    for (const helper of ["stratis-base32-decode", "stratis-str-cmp"])
      await machine.program(`usr/lib/udev/${helper}`, "");
    await machine.file("proc/sys/kernel/osrelease", "6.1.0\n");
    await machine.file("lib/modules/6.1.0/modules.builtin", "kernel/drivers/md/dm-mod.ko\n");
    await machine.file(
      "lib/modules/6.1.0/modules.dep",
      ["dm-thin-pool", "dm-cache", "dm-cache-smq", "dm-crypt"]
        .map((module) => `kernel/drivers/md/${module}.ko.xz: kernel/x.ko\n`)
        .join(""),
    );
    await machine.file("sys/module/xfs/refcnt", "");
    for (const tool of ["mkfs.xfs", "xfs_db", "xfs_growfs", "thin_check", "thin_repair"])
      await machine.program(`usr/sbin/${tool}`, `echo ${tool} version 6.1.2`);
    for (const tool of ["thin_metadata_size", "cryptsetup", "udevadm"])
      await machine.program(`usr/bin/${tool}`, "echo 252");
    await machine.program("usr/sbin/dmsetup", "exit 0");
    await machine.file("etc/fstab", "# nothing\n");
    return machine;
  }

  async file(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.root, path)), { recursive: true });
    await writeFile(join(this.root, path), content);
  }

  /** `script` for a POSIX shell. */
  async program(path: string, script: string): Promise<void> {
    await this.file(path, `#!/bin/sh\n${script}\n`);
    await chmod(join(this.root, path), 0o755);
  }

  remove(...paths: readonly string[]): Promise<unknown> {
    return Promise.all(paths.map((path) => rm(join(this.root, path), { recursive: true })));
  }

  /** A block device as sysfs and udev's database show it. */
  async device(name: string, number: string, bytes: bigint, udev: string): Promise<void> {
    await this.file(`sys/class/block/${name}/dev`, `${number}\n`);
    await this.file(`sys/class/block/${name}/size`, `${bytes / 512n}\n`);
    await this.file(`run/udev/data/b${number}`, udev);
  }

  end(): Promise<void> {
    return rm(this.root, { recursive: true });
  }
}
