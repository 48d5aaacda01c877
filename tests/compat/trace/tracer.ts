/** Makes calls to stratisd and keeps what each had as its consequence on the bus. */
import { Bus, DbusError } from "../../../cli/bus";
import { busSockets } from "../../../cli/bus-address";
import { BASE_PATH, BUS_NAME, interfaceName, PEER, PROPERTIES, type Kind } from "../../../src/dbus/names";
import { plain } from "../../dbus/support/client";
import type { Operation } from "./events";
import { Monitor } from "./monitor";

const CALL_TIMEOUT_MS = 120_000;

export interface Call {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: unknown[];
}

/** A method of the manager, in revision 9. */
export const manager = (member: string, signature: string, ...body: unknown[]): Call => ({
  path: BASE_PATH,
  interface: interfaceName("Manager", 9),
  member,
  signature,
  body,
});

/** A method of an object, in revision 9. */
export const method = (
  kind: Kind,
  path: string,
  member: string,
  signature: string,
  ...body: unknown[]
): Call => ({ path, interface: interfaceName(kind, 9), member, signature, body });

/** A method of org.freedesktop.DBus.Properties. */
export const property = (path: string, member: string, signature: string, ...body: unknown[]): Call => ({
  path,
  interface: PROPERTIES,
  member,
  signature,
  body,
});

export class Tracer {
  readonly operations: Operation[] = [];
  readonly #bus: Bus;
  readonly #monitor: Monitor;

  private constructor(bus: Bus, monitor: Monitor) {
    this.#bus = bus;
    this.#monitor = monitor;
  }

  /** `address` is that of the bus, on which stratisd has its name. */
  static async open(address: string): Promise<Tracer> {
    const bus = await Bus.open(address);
    const [socket = ""] = busSockets(address);
    return new Tracer(bus, await Monitor.open(socket));
  }

  /** Makes the call and records it under the name. Resolves to the reply's arguments, and to none for an error. */
  async record(name: string, call: Call): Promise<unknown[]> {
    const reply = await this.#call(call).catch((error: unknown) => {
      if (error instanceof DbusError && error.sender !== null) return [];
      throw error;
    });
    // Signals that came of the call before the answer to this one belong to it.
    await this.#call({ path: BASE_PATH, interface: PEER, member: "Ping", signature: "", body: [] });
    this.operations.push({ name, events: await this.#monitor.eventsBeforePing() });
    return plain(reply) as unknown[];
  }

  close(): void {
    this.#bus.close();
    this.#monitor.close();
  }

  #call(call: Call): Promise<unknown[]> {
    return this.#bus.call({ ...call, destination: BUS_NAME, timeoutMs: CALL_TIMEOUT_MS });
  }
}
