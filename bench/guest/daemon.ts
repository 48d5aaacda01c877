/** The daemon that is measured, as its clients on the bus see it. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Variant } from "dbus-next";
import { until } from "../../tests/vm/cases/support";
import { STRATIS_TOP, SystemBus, type ManagedObjects } from "../../tests/vm/guest/bus";
import { SNAPSHOT, SNAPSHOTS, startDaemon, stopDaemon } from "../../tests/vm/guest/daemon";

const MANAGER = "org.storage.stratis3.Manager.r9";
export const POOL = "org.storage.stratis3.pool.r9";
export const FILESYSTEM = "org.storage.stratis3.filesystem.r9";

/** The program; left out: ours. */
const PROGRAM = process.env["STRATIS_BENCH_DAEMON"];

/** As its service has it, but that the first start of ours has left what the others begin with. */
const ENVIRONMENT = { STRATIS_SNAPSHOTS: SNAPSHOTS, STRATIS_SNAPSHOT_DELAY: "0" };
const SNAPSHOT_MILLISECONDS = 300_000;

const ASK_AGAIN_MILLISECONDS = 50;
const ANSWER_MILLISECONDS = 5000;
const FIRST_ANSWER_MILLISECONDS = 240_000;

/** stratisd owns its name before it can answer, and a call that comes too soon is lost: asks until it answers. */
async function firstAnswer(): Promise<void> {
  const bus = await SystemBus.open(ANSWER_MILLISECONDS);
  const end = Date.now() + FIRST_ANSWER_MILLISECONDS;
  const state = { answered: false };
  while (!state.answered) {
    if (Date.now() > end) throw new Error("The daemon owns its name and does not answer");
    const answer = bus.get(STRATIS_TOP, MANAGER, "Version").then(
      () => {
        state.answered = true;
      },
      // Not there yet, or lost; the next one tells.
      () => sleep(ASK_AGAIN_MILLISECONDS),
    );
    await Promise.race([answer, sleep(ASK_AGAIN_MILLISECONDS)]);
  }
  await bus.close();
}

export class Daemon {
  constructor(private readonly bus: SystemBus) {}

  /** Returns when it answers. `onNamed`: it owns its name, which may be sooner. */
  async start(onNamed: () => void = () => undefined): Promise<void> {
    await startDaemon({
      direct: true,
      ...(PROGRAM === undefined ? { env: ENVIRONMENT } : { program: PROGRAM }),
    });
    onNamed();
    await firstAnswer();
  }

  /** Starts and stops a daemon, so that the next start is as most are. */
  async startOnce(): Promise<void> {
    await this.start();
    if (PROGRAM === undefined)
      await until("a snapshot", () => Promise.resolve(existsSync(SNAPSHOT)), SNAPSHOT_MILLISECONDS);
    await this.stop();
  }

  async stop(): Promise<void> {
    await stopDaemon();
  }

  async managedObjects(): Promise<ManagedObjects> {
    return await this.bus.managedObjects();
  }

  /** Paths of the objects that have an interface. */
  async objects(name: string): Promise<string[]> {
    const all = Object.entries(await this.managedObjects());
    return all.filter(([, interfaces]) => name in interfaces).map(([path]) => path);
  }

  /** `keys`: descriptions of keys to encrypt it with. */
  async createPool(name: string, devices: string[], keys: string[] = []): Promise<string> {
    const signature = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
    const slots = keys.map((key) => [[false, 0], key]);
    const result = (await this.bus.mustCall(STRATIS_TOP, MANAGER, "CreatePool", signature, [
      ...[name, devices, slots, [], [false, 0n], [false, ""], [false, false]],
    ])) as [boolean, [string, string[]]];
    return result[1][0];
  }

  /** How many filesystems the pool may have. */
  async setLimit(pool: string, filesystems: number): Promise<void> {
    const value = new Variant<unknown>("t", BigInt(filesystems));
    await this.bus.call(pool, "org.freedesktop.DBus.Properties", "Set", "ssv", [POOL, "FsLimit", value]);
  }

  async destroyPool(pool: string): Promise<void> {
    await this.bus.mustCall(STRATIS_TOP, MANAGER, "DestroyPool", "o", [pool]);
  }

  async stopPool(name: string): Promise<void> {
    await this.bus.mustCall(STRATIS_TOP, MANAGER, "StopPool", "ss", [name, "name"]);
  }

  /** An encrypted pool by any of its methods. Of the last revision that wants no descriptor. */
  async startPool(name: string, isEncrypted = false): Promise<void> {
    const body = [name, "name", [isEncrypted, "Any"]];
    await this.bus.mustCall(STRATIS_TOP, "org.storage.stratis3.Manager.r7", "StartPool", "ss(bs)", body);
  }

  async addData(pool: string, devices: string[]): Promise<void> {
    await this.bus.mustCall(pool, POOL, "AddDataDevs", "as", [devices]);
  }

  /** Returns when all is encrypted, with keys of these descriptions. */
  async encryptPool(pool: string, keys: string[]): Promise<void> {
    const slots = keys.map((key) => [[false, 0], key]);
    await this.bus.mustCall(pool, POOL, "EncryptPool", "a((bu)s)a((bu)ss)", [slots, []]);
  }

  async reencryptPool(pool: string): Promise<void> {
    await this.bus.mustCall(pool, POOL, "ReencryptPool", "", []);
  }

  async decryptPool(pool: string): Promise<void> {
    await this.bus.mustCall(pool, POOL, "DecryptPool", "", []);
  }

  async createFilesystem(pool: string, name: string): Promise<string> {
    const result = (await this.bus.mustCall(pool, POOL, "CreateFilesystems", "a(s(bs)(bs))", [
      [[name, [false, ""], [false, ""]]],
    ])) as [boolean, [string, string][]];
    const made = result[1][0];
    if (made === undefined) throw new Error(`CreateFilesystems made no ${name}`);
    return made[0];
  }

  async snapshot(pool: string, origin: string, name: string): Promise<string> {
    const result = (await this.bus.mustCall(pool, POOL, "SnapshotFilesystem", "os", [origin, name])) as [
      boolean,
      string,
    ];
    return result[1];
  }

  async destroyFilesystems(pool: string, filesystems: string[]): Promise<void> {
    await this.bus.mustCall(pool, POOL, "DestroyFilesystems", "ao", [filesystems]);
  }

  async rename(filesystem: string, name: string): Promise<void> {
    await this.bus.mustCall(filesystem, FILESYSTEM, "SetName", "s", [name]);
  }
}
