/** The system bus, as cases, demo and benchmarks use it. */
import { Client, plain } from "../../dbus/support/client";

export const SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket";
export const STRATIS_NAME = "org.storage.stratis3";
export const STRATIS_TOP = "/org/storage/stratis3";
/** Longer than the daemon lets a program that it runs take. */
const CALL_MILLISECONDS = 240_000;

/** Properties by object, interface and name. */
export type ManagedObjects = Record<string, Record<string, Record<string, unknown>>>;

export class SystemBus {
  private constructor(private readonly client: Client) {}

  /** `milliseconds`: how long a call may take. */
  static async open(milliseconds = CALL_MILLISECONDS): Promise<SystemBus> {
    return new SystemBus(await Client.connect(SYSTEM_BUS, milliseconds));
  }

  /** A method of the daemon; the reply's values, variants replaced by what they hold. */
  async call(
    path: string,
    iface: string,
    member: string,
    signature = "",
    body: unknown[] = [],
  ): Promise<unknown[]> {
    return plain(await this.client.call(member, { path, interface: iface, signature, body })) as unknown[];
  }

  /** A method whose reply ends in return code and text. Throws unless the code is 0; returns what comes before. */
  async mustCall(
    path: string,
    iface: string,
    member: string,
    signature: string,
    body: unknown[],
  ): Promise<unknown> {
    const reply = await this.call(path, iface, member, signature, body);
    const [code, text] = reply.slice(-2);
    if (code !== 0)
      throw new Error(`${iface}.${member} of ${path} answered ${String(code)}: ${String(text)}`);
    return reply[0];
  }

  async get(path: string, iface: string, property: string): Promise<unknown> {
    return await this.client.get(path, iface, property);
  }

  async managedObjects(): Promise<ManagedObjects> {
    const [objects] = await this.call(STRATIS_TOP, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
    return objects as ManagedObjects;
  }

  async hasOwner(name = STRATIS_NAME): Promise<boolean> {
    const [owned] = await this.client.callBus("NameHasOwner", "s", [name]);
    return owned === true;
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
