/** What a guest that failed leaves for people to look at. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Guest } from "./guest";
import { PROJECT } from "./image";

const FOLDER = path.join(PROJECT, "build", "vm-logs");
const COMMAND_MILLISECONDS = 60_000;

const COMMANDS: Record<string, string> = {
  "journal.txt": "journalctl --no-pager -o short-monotonic -b",
  "units.txt":
    "systemctl --no-pager --failed; systemctl --no-pager list-jobs; systemctl --no-pager --all list-units",
  "blame.txt": "systemd-analyze --no-pager blame",
  "devices.txt": "dmsetup ls --tree; dmsetup status; ls -lR /dev/stratis; cat /proc/self/mounts",
};

/** Writes what the guest still tells to a folder of the host, whose path it returns. */
export async function keepEvidence(guest: Guest, name: string): Promise<string> {
  const folder = path.join(FOLDER, name);
  mkdirSync(folder, { recursive: true });
  if (existsSync(guest.consoleLog)) copyFileSync(guest.consoleLog, path.join(folder, "console.txt"));
  for (const [file, command] of Object.entries(COMMANDS)) {
    let text: string;
    try {
      const { stdout, stderr } = await guest.exec(command, { timeoutMs: COMMAND_MILLISECONDS });
      text = stdout + stderr;
    } catch (error) {
      // The guest may be what failed.
      text = String(error);
    }
    writeFileSync(path.join(folder, file), text);
  }
  return folder;
}
