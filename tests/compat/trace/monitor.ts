/** All messages from and to stratisd, in the order in which they are on the bus. */
import { closeDescriptor } from "../../../src/bus/descriptors";
import { MESSAGE_TYPE, type ReceivedMessage } from "../../../src/bus/codec";
import { MessageChannel } from "../../../src/bus/messages";
import { BUS_NAME, PEER } from "../../../src/dbus/names";
import { plain } from "../../dbus/support/client";
import type { Event } from "./events";

const MESSAGE_BUS = "org.freedesktop.DBus";
const MESSAGE_TIMEOUT_MS = 120_000;

const short = (name: string): string => name.replace(`${BUS_NAME}.`, "");
/** Numbers of 64 bits become plain ones: none here is too large for that. */
const small = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, entry: unknown) => (typeof entry === "bigint" ? Number(entry) : entry)),
  );

function signalEvent(path: string, member: string, body: readonly unknown[]): Event {
  switch (member) {
    case "PropertiesChanged": {
      const [name, values, invalidated] = body as [string, Record<string, unknown>, string[]];
      return { changed: path, interface: short(name), values, invalidated };
    }
    case "InterfacesAdded": {
      const [object, interfaces] = body as [string, Record<string, object>];
      const counts = Object.entries(interfaces).map(([name, properties]) => [
        short(name),
        Object.keys(properties).length,
      ]);
      return { added: object, interfaces: Object.fromEntries(counts) as Record<string, number> };
    }
    case "InterfacesRemoved": {
      const [object, interfaces] = body as [string, string[]];
      return { removed: object, interfaces: interfaces.map(short) };
    }
    default:
      throw new Error(`stratisd sent the signal ${member}, which it does not have, from ${path}`);
  }
}

function eventOf(message: ReceivedMessage): Event {
  const { type, path = "", interface: name = "", member = "", errorName = "" } = message;
  const body = small(plain(message.body)) as unknown[];
  switch (type) {
    case MESSAGE_TYPE.methodCall:
      return { call: `${name}.${member}`, path };
    case MESSAGE_TYPE.signal:
      return signalEvent(path, member, body);
    case MESSAGE_TYPE.error:
      return { error: errorName, text: String(body[0]) };
    default:
      return { reply: body };
  }
}

export class Monitor {
  readonly #messages: MessageChannel;
  #seen: ReceivedMessage[] = [];
  #look: () => void = () => undefined;
  #failure: Error | null = null;

  private constructor(messages: MessageChannel) {
    this.#messages = messages;
    messages.onMessage = (message, descriptors) => {
      descriptors.forEach(closeDescriptor);
      this.#seen.push(message);
      this.#look();
    };
    messages.onBadMessage = (error) => {
      this.#failure ??= error;
      this.#look();
    };
  }

  /** From when this resolves nothing is missed. */
  static async open(socket: string): Promise<Monitor> {
    const monitor = new Monitor(await MessageChannel.open(socket));
    await monitor.#callBus(1, "Hello", MESSAGE_BUS, "", []);
    const rules = [`sender='${BUS_NAME}'`, `destination='${BUS_NAME}'`];
    await monitor.#callBus(2, "BecomeMonitor", `${MESSAGE_BUS}.Monitoring`, "asu", [rules, 0]);
    return monitor;
  }

  /**
   * What there was since the last call of this, up to the reply to a Ping that has been sent since; without what the
   * daemon and the bus say to each other.
   */
  async eventsBeforePing(): Promise<Event[]> {
    let ping: ReceivedMessage | undefined;
    let pong: ReceivedMessage | undefined;
    await this.#until("the reply to Ping", () => {
      ping ??= this.#seen.find(({ interface: name, member }) => name === PEER && member === "Ping");
      pong = this.#seen.find(
        ({ replySerial, sender }) => replySerial === ping?.serial && sender !== MESSAGE_BUS,
      );
      return ping !== undefined && pong !== undefined;
    });
    return this.#seen
      .splice(0)
      .filter((message) => message !== ping && message !== pong)
      .filter(({ sender, destination }) => sender !== MESSAGE_BUS && destination !== MESSAGE_BUS)
      .map(eventOf);
  }

  close(): void {
    this.#messages.close();
  }

  async #callBus(
    serial: number,
    member: string,
    name: string,
    signature: string,
    body: unknown[],
  ): Promise<void> {
    this.#messages.send({
      type: MESSAGE_TYPE.methodCall,
      serial,
      destination: MESSAGE_BUS,
      path: "/org/freedesktop/DBus",
      interface: name,
      member,
      signature,
      body,
    });
    let reply: ReceivedMessage | undefined;
    await this.#until(`the reply to ${member}`, () => {
      reply = this.#seen.find(({ replySerial }) => replySerial === serial);
      return reply !== undefined;
    });
    this.#seen = [];
    if (reply?.type !== MESSAGE_TYPE.methodReturn)
      throw new Error(`The bus refused ${member}: ${reply?.errorName ?? ""} ${String(reply?.body[0])}`);
  }

  async #until(what: string, done: () => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`The monitor has not seen ${what} within ${MESSAGE_TIMEOUT_MS} ms`));
        }, MESSAGE_TIMEOUT_MS);
        this.#look = () => {
          if (this.#failure !== null) reject(this.#failure);
          else if (done()) resolve();
        };
        this.#look();
      });
    } finally {
      clearTimeout(timer);
      this.#look = () => undefined;
    }
  }
}
