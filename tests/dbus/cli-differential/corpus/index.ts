/** What stratis-cli and our command are compared on. */
import { commandLines } from "../command-line";
import type { Scene } from "../scene";
import { COMMANDS, ENVIRONMENT, EXPLANATIONS, OTHER_LINES, POOL_LINES } from "./command-lines";
import { ENCRYPTED_POOLS, KEYS } from "./encryption";
import { FILESYSTEMS, LIMITS } from "./filesystems";
import { NOTHING_THERE, POOLS, STOPPED } from "./pools";

const scene = (name: string, text: string): Scene => ({ name, lines: commandLines(text) });

export const corpus: readonly Scene[] = [
  scene("commands", COMMANDS),
  scene("command lines of pools", POOL_LINES),
  scene("other command lines", OTHER_LINES),
  scene("explanations", EXPLANATIONS),
  scene("environment", ENVIRONMENT),
  scene("a system without pools", NOTHING_THERE),
  {
    ...scene("no daemon", "stratis pool\nstratis key list\nstratis daemon version\nstratis report"),
    withoutDaemon: true,
  },
  scene("pools", POOLS),
  scene("stopped pools", STOPPED),
  scene("filesystems", FILESYSTEMS),
  scene("limits", LIMITS),
  scene("keys", KEYS),
  scene("encrypted pools", ENCRYPTED_POOLS),
];
