/** A pool with metadata of version 1, each of whose devices is encrypted, whose daemon is killed: see crash-support. */
import { killedThroughout } from "./crash-support";

killedThroughout({ version: 1, encrypted: true });
