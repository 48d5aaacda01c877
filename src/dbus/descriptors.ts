/** File descriptors that come with a method call, and the keys that are read from them (dbus-api.md §13). */
import { closeDescriptor } from "../bus/descriptors";
import { EngineError, errorText } from "../engine/errors";
import { isNativeError, native, type Secret } from "../native";

/** For a sender that passes the end of a pipe and writes nothing into it. */
const KEY_TIMEOUT_MS = 120_000;

/** The descriptors of one message. An argument of type h is an index into them. */
export interface MessageDescriptors {
  /**
   * The key that the descriptor at `index` delivers: its bytes as they are, at most 64. Rejects with EngineError when
   * there is no such descriptor, when it delivers more, or nothing in two minutes. Whoever gets the key wipes it.
   */
  readKey(index: number): Promise<Secret>;
}

/** Descriptors that this process holds until close(). */
export class ReceivedDescriptors implements MessageDescriptors {
  readonly #descriptors: number[];

  constructor(descriptors: readonly number[]) {
    this.#descriptors = [...descriptors];
  }

  /** How many it holds. */
  get count(): number {
    return this.#descriptors.length;
  }

  async readKey(index: number): Promise<Secret> {
    const fd = this.#descriptors[index];
    const what = `Could not read the key from file descriptor ${index} of the message`;
    if (fd === undefined)
      throw new EngineError(
        `${what}: ${this.#descriptors.length === 0 ? "no file descriptor" : `only ${this.#descriptors.length}`} came with it`,
      );
    try {
      return await native().readSecret(fd, KEY_TIMEOUT_MS);
    } catch (error) {
      if (isNativeError(error) && error.code === "EMSGSIZE")
        throw new EngineError("Provided key exceeded maximum allow length of 64 bytes", { cause: error });
      throw new EngineError(`${what}: ${errorText(error)}`, { cause: error });
    }
  }

  close(): void {
    this.#descriptors.splice(0).forEach(closeDescriptor);
  }
}

/** What a connection hands over that cannot receive descriptors. */
export const noDescriptors: MessageDescriptors = new ReceivedDescriptors([]);
