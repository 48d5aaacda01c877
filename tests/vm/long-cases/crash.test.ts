/** A pool without encryption, whose daemon is killed: see crash-support. */
import { killedThroughout } from "./crash-support";

killedThroughout({ version: 2, encrypted: false });
