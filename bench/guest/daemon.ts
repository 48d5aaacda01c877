/** The daemon that is measured, as its clients on the bus see it. */
import { STRATIS_TOP, type ManagedObjects, type SystemBus } from "../../tests/vm/guest/bus";
import { startDaemon, stopDaemon } from "../../tests/vm/guest/daemon";

const MANAGER = "org.storage.stratis3.Manager.r9";
export const POOL = "org.storage.stratis3.pool.r9";
export const FILESYSTEM = "org.storage.stratis3.filesystem.r9";

/** The program; left out: ours. */
const PROGRAM = process.env["STRATIS_BENCH_DAEMON"];

export class Daemon {
  constructor(private readonly bus: SystemBus) {}

  /** Returns when it owns its name. */
  async start(): Promise<void> {
    await startDaemon({ direct: true, ...(PROGRAM === undefined ? {} : { program: PROGRAM }) });
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

  async destroyPool(pool: string): Promise<void> {
    await this.bus.mustCall(STRATIS_TOP, MANAGER, "DestroyPool", "o", [pool]);
  }

  async stopPool(name: string): Promise<void> {
    await this.bus.mustCall(STRATIS_TOP, MANAGER, "StopPool", "ss", [name, "name"]);
  }

  /** An encrypted pool, by any of its methods. Of the last revision that wants no descriptor. */
  async startEncryptedPool(name: string): Promise<void> {
    const body = [name, "name", [true, "Any"]];
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
