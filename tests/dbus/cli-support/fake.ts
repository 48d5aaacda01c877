/** A service that stands in for stratisd: it serves what the test gives it, and records the calls that it gets. */
import createConnection from "dbus-next/lib/connection";
import { MessageType, Variant } from "dbus-next";
import { adaptStream } from "../../../src/dbus/stream";
import { plain } from "../support/client";

type Received = createConnection.ReceivedMessage;

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
  /** How often the version was asked for. */
  versionChecks = 0;
  version = "3.9.2";
  respond: Responder = () => undefined;
  readonly #connection: createConnection.Connection;
  #serial = 0;
  readonly #waiting = new Map<number, () => void>();

  private constructor(address: string) {
    this.#connection = createConnection({
      busAddress: address.replace("unix:path=", "unix:socket="),
      authMethods: ["EXTERNAL"],
    });
    adaptStream(this.#connection.stream);
    this.#connection.on("error", () => undefined);
    this.#connection.on("message", (message: Received) => {
      if (message.type === MessageType.METHOD_CALL) this.#answer(message);
      else this.#waiting.get(message.replySerial ?? 0)?.();
    });
  }

  static async start(address: string): Promise<FakeStratisd> {
    const fake = new FakeStratisd(address);
    await fake.#callBus("Hello", "", []);
    await fake.#callBus("RequestName", "su", [NAME, 0]);
    return fake;
  }

  /** Forgets all that a test has set and recorded. */
  reset(respond: Responder): void {
    this.calls.length = 0;
    this.versionChecks = 0;
    this.version = "3.9.2";
    this.respond = respond;
  }

  stop(): void {
    this.#connection.stream.destroy();
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
    this.#connection.message({
      ...bus,
      type: MessageType.METHOD_CALL,
      interface: "org.freedesktop.DBus",
      serial,
      member,
      signature,
      body,
    });
    await answered;
    clearTimeout(timer);
  }

  #answer(message: Received): void {
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

  #reply({ serial, sender = "" }: Received, answer: Answer): void {
    if (answer === "silence") return;
    const common = { serial: ++this.#serial, replySerial: serial, destination: sender };
    this.#connection.message(
      "error" in answer
        ? {
            ...common,
            type: MessageType.ERROR,
            errorName: answer.error,
            signature: "s",
            body: [answer.message],
          }
        : { ...common, type: MessageType.METHOD_RETURN, ...answer },
    );
  }
}
