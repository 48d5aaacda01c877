/** The part of dbus-next that connects, authenticates, and encodes and decodes messages; the package has no types for it. */
declare module "dbus-next/lib/connection" {
  import type { EventEmitter } from "node:events";
  import type { Socket } from "node:net";

  namespace createConnection {
    /** A message as it is received. Fields that the header lacks are undefined. */
    interface ReceivedMessage {
      readonly type: number;
      readonly serial: number;
      readonly flags: number;
      readonly path: string | undefined;
      readonly interface: string | undefined;
      readonly member: string | undefined;
      readonly errorName: string | undefined;
      readonly replySerial: number | undefined;
      readonly sender: string | undefined;
      readonly signature: string;
      readonly body: unknown[];
    }

    /** A message to send; its body is in the form that dbus-next's documentation gives for each type. */
    interface OutgoingMessage {
      type: number;
      serial: number;
      flags?: number;
      path?: string;
      interface?: string;
      member?: string;
      errorName?: string;
      replySerial?: number;
      destination?: string;
      signature: string;
      body: unknown[];
    }

    /**
     * Emits "connect" when authenticated, "message" with each ReceivedMessage, "error", and "end". `message` sends;
     * it throws when the message cannot be encoded or the stream is closed.
     */
    interface Connection extends EventEmitter {
      readonly stream: Socket;
      message(message: OutgoingMessage): void;
    }
  }

  function createConnection(options: {
    busAddress: string;
    authMethods: string[];
  }): createConnection.Connection;
  export = createConnection;
}
