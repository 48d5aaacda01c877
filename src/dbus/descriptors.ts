/** File descriptors that come with a method call, and the keys that are read from them (dbus-api.md §13). */
import { EngineError } from "../engine/errors";

/** The descriptors of one message. An argument of type h is an index into them. */
export interface MessageDescriptors {
  /**
   * The key that the descriptor at `index` delivers: all bytes up to its end, at most 64. Rejects with EngineError
   * when there is no such descriptor, or when it delivers more.
   */
  readKey(index: number): Promise<Uint8Array>;
}

/** What a connection hands over that cannot receive descriptors. */
export const noDescriptors: MessageDescriptors = {
  readKey: (index) =>
    Promise.reject(
      new EngineError(
        `Could not read the key from file descriptor ${index} of the message: no file descriptor came with it`,
      ),
    ),
};
