/** Names from stratisd for completion: without the check of its version, which would cost the user time. */
import { Bus } from "../bus";
import { systemBusAddress } from "../bus-address";
import { UnexpectedValueError } from "../errors";
import { formatMaybeSize } from "../format/size";
import { hyphenated } from "../format/uuid";
import { ManagedObjects, type ManagedObject } from "../managed-objects";
import { BUS_NAME, MANAGER, OBJECT_MANAGER, PROPERTIES, TOP_OBJECT } from "../names";
import { asBytes, asDictionary, asItems, asText } from "../values";
import type { Candidate, LiveNames } from "./candidates";
import { freeDevices } from "./free-devices";

/** Nobody waits longer for a completion. */
const TIMEOUT_MS = 1000;

interface StoppedPool {
  readonly uuid: string;
  readonly name: string | undefined;
  readonly devices: readonly string[];
}

const textOf = (object: ManagedObject, property: string): string | undefined =>
  object.maybe(property, asText);

/** Those that have a word. */
const candidates = (pairs: readonly (readonly [string | undefined, string | undefined])[]): Candidate[] =>
  pairs.flatMap(([word, description = ""]) => (word === undefined ? [] : [{ word, description }]));

export class StratisdNames implements LiveNames {
  #bus: Promise<Bus> | undefined;
  #managed: Promise<ManagedObjects> | undefined;

  constructor(private readonly env: Readonly<Record<string, string | undefined>>) {}

  /** Closes the connection, now or as soon as it is there. */
  close(): void {
    this.#bus?.then(
      (bus) => {
        bus.close();
      },
      // Who waited for it has been told.
      () => undefined,
    );
  }

  async pools(): Promise<Candidate[]> {
    return candidates((await this.#all("pool")).map((pool) => [textOf(pool, "Name"), this.#space(pool)]));
  }

  async poolUuids(): Promise<Candidate[]> {
    return this.#uuids(await this.#all("pool"), "Name");
  }

  async stoppedPools(): Promise<Candidate[]> {
    return candidates((await this.#stopped()).map(({ name, devices }) => [name, devices.join(", ")]));
  }

  async stoppedPoolUuids(): Promise<Candidate[]> {
    return candidates((await this.#stopped()).map(({ uuid, name }) => [hyphenated(uuid), name]));
  }

  async filesystems(pool: string | undefined): Promise<Candidate[]> {
    const found = await this.#owned("filesystem", pool);
    return candidates(
      found.map((filesystem) => [
        textOf(filesystem, "Name"),
        formatMaybeSize(filesystem.maybe("Size", asBytes)),
      ]),
    );
  }

  async filesystemUuids(pool: string | undefined): Promise<Candidate[]> {
    return this.#uuids(await this.#owned("filesystem", pool), "Name");
  }

  async blockDevices(pool: string | undefined): Promise<Candidate[]> {
    const found = await this.#owned("block device", pool);
    return candidates(
      found.map((device) => [
        textOf(device, "PhysicalPath"),
        formatMaybeSize(device.maybe("TotalPhysicalSize", asBytes)),
      ]),
    );
  }

  async blockDeviceUuids(pool: string | undefined): Promise<Candidate[]> {
    return this.#uuids(await this.#owned("block device", pool), "PhysicalPath");
  }

  async freeDevices(): Promise<Candidate[]> {
    // A device of a pool that this daemon knows is free by no other sign than what udev has found on it.
    const owned = await Promise.all([this.#all("block device"), this.#stopped()]).then(
      ([devices, stopped]) => [
        ...devices.map((device) => textOf(device, "PhysicalPath") ?? ""),
        ...stopped.flatMap((pool) => pool.devices),
      ],
      () => [],
    );
    return freeDevices(new Set(owned));
  }

  async keys(): Promise<Candidate[]> {
    const [keys] = await this.#call(MANAGER, "ListKeys", "", []);
    return candidates(asItems(keys).map((key) => [asText(key), ""]));
  }

  #space(pool: ManagedObject): string {
    return formatMaybeSize(pool.maybe("TotalPhysicalSize", asBytes));
  }

  #uuids(objects: readonly ManagedObject[], description: string): Candidate[] {
    return candidates(
      objects.map((object) => {
        const uuid = textOf(object, "Uuid");
        return [uuid === undefined ? undefined : hyphenated(uuid), textOf(object, description)];
      }),
    );
  }

  async #all(kind: "pool" | "filesystem" | "block device"): Promise<ManagedObject[]> {
    this.#managed ??= this.#call(OBJECT_MANAGER, "GetManagedObjects", "", []).then(
      ([objects]) => new ManagedObjects(objects),
    );
    return (await this.#managed).all(kind);
  }

  async #owned(kind: "filesystem" | "block device", pool: string | undefined): Promise<ManagedObject[]> {
    const objects = await this.#all(kind);
    if (pool === undefined) return objects;
    const owner = (await this.#all("pool")).find((candidate) => textOf(candidate, "Name") === pool);
    return objects.filter((object) => owner !== undefined && textOf(object, "Pool") === owner.path);
  }

  async #stopped(): Promise<StoppedPool[]> {
    const [pools] = await this.#call(PROPERTIES, "Get", "ss", [MANAGER, "StoppedPools"]);
    return [...asDictionary(pools)].map(([uuid, value]) => {
      const facts = asDictionary(value);
      const name = facts.get("name");
      const devices = asItems(facts.get("devs")).map((device) => asText(asDictionary(device).get("devnode")));
      return { uuid, name: name === undefined ? undefined : asText(name), devices };
    });
  }

  /** Only for what has no return code that matters. */
  async #call(interfaceName: string, member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    const call = {
      destination: BUS_NAME,
      path: TOP_OBJECT,
      interface: interfaceName,
      member,
      signature,
      body,
    };
    this.#bus ??= Bus.open(systemBusAddress(this.env));
    const reply = await (await this.#bus).call({ ...call, timeoutMs: TIMEOUT_MS });
    if (reply.length === 0) throw new UnexpectedValueError(`stratisd answered ${member} with nothing`);
    return reply;
  }
}
