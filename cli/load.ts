/**
 * Loads a module of this program at the moment when it is needed: a command then starts without the code of all others.
 * Not import(), which would bring up the loader of ECMAScript modules, and with it a tenth of the whole start-up time.
 */
import { createRequire } from "node:module";

export const load = createRequire(__filename);
