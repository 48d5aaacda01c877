/** What the auxiliary programs ask of stratisd on the system bus. */
import { Bus, MESSAGE_BUS, type MethodCall } from "../../cli/bus";
import { systemBusAddress } from "../../cli/bus-address";
import { messageOf } from "../../cli/errors";
import { BUS_NAME, MANAGER, OBJECT_MANAGER, PROPERTIES, REPORT, TOP_OBJECT } from "../../cli/names";
import { ToolError } from "./tool";

const CALL_TIMEOUT_MS = 60_000;

const failed = (error: unknown): ToolError =>
  new ToolError(`Unable to retrieve Stratis information from the D-Bus: ${messageOf(error)}`, {
    cause: error,
  });

/** Of stratisd's top object, unless it says otherwise. */
type OwnCall = Pick<MethodCall, "interface" | "member" | "signature" | "body"> &
  Partial<Pick<MethodCall, "destination" | "path">>;

export class StratisdBus {
  readonly #bus: Bus;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Runs `use` with a connection, which is closed afterwards. Throws ToolError when there is no bus. */
  static async with<T>(
    env: Readonly<Record<string, string | undefined>>,
    use: (stratisd: StratisdBus) => Promise<T>,
  ): Promise<T> {
    const bus = await Bus.open(systemBusAddress(env)).catch((error: unknown) => {
      throw failed(error);
    });
    try {
      return await use(new StratisdBus(bus));
    } finally {
      bus.close();
    }
  }

  /** The a{oa{sa{sv}}} of GetManagedObjects. This and the following throw ToolError when there is no such answer. */
  managedObjects(): Promise<unknown> {
    return this.#call({ member: "GetManagedObjects", interface: OBJECT_MANAGER, signature: "", body: [] });
  }

  managerProperty(name: string): Promise<unknown> {
    return this.#call({ member: "Get", interface: PROPERTIES, signature: "ss", body: [MANAGER, name] });
  }

  /** The text of a report; null when stratisd has none of that name. */
  async report(name: string): Promise<string | null> {
    const [text, code] = await this.#callAll({
      interface: REPORT,
      member: "GetReport",
      signature: "s",
      body: [name],
    });
    return code === 0 && typeof text === "string" ? text : null;
  }

  /** stratisd's process id, as the bus knows it. */
  processId(): Promise<unknown> {
    return this.#call({
      destination: MESSAGE_BUS,
      path: "/org/freedesktop/DBus",
      interface: MESSAGE_BUS,
      member: "GetConnectionUnixProcessID",
      signature: "s",
      body: [BUS_NAME],
    });
  }

  async #call(call: OwnCall): Promise<unknown> {
    const [result] = await this.#callAll(call);
    return result;
  }

  async #callAll(call: OwnCall): Promise<unknown[]> {
    try {
      return await this.#bus.call({
        destination: BUS_NAME,
        path: TOP_OBJECT,
        timeoutMs: CALL_TIMEOUT_MS,
        ...call,
      });
    } catch (error) {
      throw failed(error);
    }
  }
}
