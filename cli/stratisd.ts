/** stratisd as seen over D-Bus: calls, properties, managed objects, and what can go wrong with them. */
import { Variant } from "dbus-next/lib/variant";
import { nameProcess } from "../src/history/process";
import { Bus, DbusError, type MethodCall } from "./bus";
import { systemBusAddress } from "./bus-address";
import { checkDaemonVersion } from "./daemon-version";
import type { Changes } from "./changes";
import { EngineError } from "./errors";
import { load } from "./load";
import { ManagedObjects } from "./managed-objects";
import { BUS_NAME, MANAGER, OBJECT_MANAGER, OLDEST_MANAGER, PROPERTIES, TOP_OBJECT } from "./names";
import { callTimeoutMs } from "./timeout";
import { asInteger, asText } from "./values";

/** What was being done when a call failed; property is the one that was to be got or set. */
export interface FailedCall {
  readonly interface: string;
  readonly member: string;
  readonly property?: { readonly interface: string; readonly name: string; readonly value?: unknown };
}

/** A call that D-Bus, not stratisd's engine, answered with an error, or that nobody answered. */
export class CallError extends Error {
  override name = "CallError";
  constructor(
    readonly call: FailedCall,
    readonly dbusError: DbusError,
  ) {
    super(
      `${call.interface}.${call.member} failed with ${dbusError.errorName}` +
        (dbusError.message === "" ? "" : `: ${dbusError.message}`),
      { cause: dbusError },
    );
  }
}

/** A method of stratisd that ends in return code and message. */
export interface Request {
  /** Of the top object unless given. */
  readonly path?: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: unknown[];
  /** Instead of the timeout of all calls. */
  readonly timeoutMs?: number;
}

export class Stratisd {
  readonly #bus: Bus;
  readonly #timeoutMs: number;

  private constructor(bus: Bus, timeoutMs: number) {
    this.#bus = bus;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects and makes sure that the daemon's version is one that this client knows. */
  static async open(env: Readonly<Record<string, string | undefined>>): Promise<Stratisd> {
    const timeoutMs = callTimeoutMs(env);
    nameProcess("stratis");
    const stratisd = new Stratisd(await Bus.open(systemBusAddress(env)), timeoutMs);
    try {
      checkDaemonVersion(asText(await stratisd.get(TOP_OBJECT, OLDEST_MANAGER, "Version")));
    } catch (error) {
      stratisd.close();
      throw error;
    }
    return stratisd;
  }

  close(): void {
    this.#bus.close();
  }

  /** The result before return code and message, undefined if there is none. Throws EngineError for a code not 0. */
  async request({ path = TOP_OBJECT, signature = "", body = [], ...request }: Request): Promise<unknown> {
    const { interface: name, member, timeoutMs } = request;
    const reply = await this.#call(
      { path, interface: name, member, signature, body, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      { interface: name, member },
    );
    const [code, message] = reply.slice(-2);
    if (asInteger(code) !== 0n) throw new EngineError(asInteger(code), asText(message));
    return reply.length > 2 ? reply[0] : undefined;
  }

  async get(path: string, interfaceName: string, name: string): Promise<unknown> {
    const [value] = await this.#call(
      { path, interface: PROPERTIES, member: "Get", signature: "ss", body: [interfaceName, name] },
      { interface: PROPERTIES, member: "Get", property: { interface: interfaceName, name } },
    );
    return value;
  }

  /** `signature` is the property's. */
  async set(
    object: { readonly path: string; readonly interface: string },
    name: string,
    signature: string,
    value: unknown,
  ): Promise<void> {
    await this.#call(
      {
        path: object.path,
        interface: PROPERTIES,
        member: "Set",
        signature: "ssv",
        body: [object.interface, name, new Variant(signature, value)],
      },
      { interface: PROPERTIES, member: "Set", property: { interface: object.interface, name, value } },
    );
  }

  async managedObjects(): Promise<ManagedObjects> {
    const call = { interface: OBJECT_MANAGER, member: "GetManagedObjects" };
    const [objects] = await this.#call({ ...call, path: TOP_OBJECT, signature: "", body: [] }, call);
    return new ManagedObjects(objects);
  }

  /** Changes that are signalled from now on. */
  async changes(): Promise<Changes> {
    const { Changes } = load("./changes") as typeof import("./changes");
    return Changes.of(this.#bus);
  }

  managerProperty(name: string): Promise<unknown> {
    return this.get(TOP_OBJECT, MANAGER, name);
  }

  async #call(
    call: Omit<MethodCall, "destination" | "timeoutMs"> & { readonly timeoutMs?: number },
    failed: FailedCall,
  ): Promise<unknown[]> {
    try {
      return await this.#bus.call({ timeoutMs: this.#timeoutMs, ...call, destination: BUS_NAME });
    } catch (error) {
      if (error instanceof DbusError) throw new CallError(failed, error);
      throw error;
    }
  }
}
