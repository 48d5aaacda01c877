/** A service that stands in for stratisd: it serves what the test gives it, and records the calls that it gets. */
import { Variant } from "dbus-next";
import { MESSAGE_TYPE, type ReceivedMessage } from "../../../src/bus/codec";
import { MessageChannel } from "../../../src/bus/messages";
import { ReceivedDescriptors } from "../../../src/dbus/descriptors";
import { plain } from "../support/client";
import { secretText } from "../../support/secrets";

const NAME = "org.storage.stratis3";
const START_TIMEOUT_MS = 20_000;
const VERSION_PROPERTY = "org.storage.stratis3.Manager.r0 Version";

/** A call without the version check: path, "interface.member", signature, and body without variants. */
export interface RecordedCall {
  path: string;
  member: string;
  signature: string;
  body: unknown[];
}

export type Answer =
  | { signature: string; body: unknown[] }
  | { error: string; message: string }
  /** Never answered. */
  | "silence";

/** `member`: without its interface. */
export type Responder = (call: RecordedCall, member: string) => Answer | undefined;

export class FakeStratisd {
  /** Of the calls since the test began, without version checks. */
  readonly calls: RecordedCall[] = [];
  /** What the descriptors hold that came with those calls, in order. */
  readonly keys: string[] = [];
  /** How often the version was asked for. */
  versionChecks = 0;
  version = "3.9.2";
  respond: Responder = () => undefined;
  readonly #messages: MessageChannel;
  #serial = 0;
  readonly #waiting = new Map<number, () => void>();

  private constructor(messages: MessageChannel) {
    this.#messages = messages;
    messages.onMessage = (message, descriptors) => {
      void this.#received(message, new ReceivedDescriptors(descriptors));
    };
  }

  static async start(address: string): Promise<FakeStratisd> {
    const fake = new FakeStratisd(await MessageChannel.open(address.replace("unix:path=", "")));
    await fake.#callBus("Hello", "", []);
    await fake.#callBus("RequestName", "su", [NAME, 0]);
    return fake;
  }

  /** Forgets all that a test has set and recorded. */
  reset(respond: Responder): void {
    this.calls.length = 0;
    this.keys.length = 0;
    this.versionChecks = 0;
    this.version = "3.9.2";
    this.respond = respond;
  }

  stop(): void {
    this.#messages.close();
  }

  async #callBus(member: string, signature: string, body: unknown[]): Promise<void> {
    const serial = ++this.#serial;
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting.set(serial, resolve);
      timer = setTimeout(() => {
        reject(new Error(`The bus did not answer ${member}`));
      }, START_TIMEOUT_MS);
    });
    const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };
    this.#messages.send({
      ...bus,
      type: MESSAGE_TYPE.methodCall,
      interface: "org.freedesktop.DBus",
      serial,
      member,
      signature,
      body,
    });
    await answered;
    clearTimeout(timer);
  }

  async #received(message: ReceivedMessage, descriptors: ReceivedDescriptors): Promise<void> {
    for (let index = 0; index < (message.unixFd ?? 0); index++)
      this.keys.push(secretText(await descriptors.readKey(index)));
    descriptors.close();
    if (message.type === MESSAGE_TYPE.methodCall) this.#answer(message);
    else this.#waiting.get(message.replySerial ?? 0)?.();
  }

  #answer(message: ReceivedMessage): void {
    const { path = "", interface: name = "", member = "", signature } = message;
    const call = { path, member: `${name}.${member}`, signature, body: plain(message.body) as unknown[] };
    if (member === "Get" && call.body.join(" ") === VERSION_PROPERTY) {
      this.versionChecks++;
      const answer = this.respond(call, "version");
      this.#reply(message, answer ?? { signature: "v", body: [new Variant("s", this.version)] });
      return;
    }
    this.calls.push(call);
    const answer = this.respond(call, member) ?? {
      error: "org.freedesktop.DBus.Error.UnknownMethod",
      message: `The test has no answer to ${call.member}`,
    };
    this.#reply(message, answer);
  }

  #reply({ serial, sender = "" }: ReceivedMessage, answer: Answer): void {
    if (answer === "silence") return;
    const common = { serial: ++this.#serial, replySerial: serial, destination: sender };
    this.#messages.send(
      "error" in answer
        ? {
            ...common,
            type: MESSAGE_TYPE.error,
            errorName: answer.error,
            signature: "s",
            body: [answer.message],
          }
        : { ...common, type: MESSAGE_TYPE.methodReturn, ...answer },
    );
  }
}
