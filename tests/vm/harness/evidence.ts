/** What a guest that failed leaves for people to look at. */
import { spawnSync } from "node:child_process";
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

/** Of a guest that does not answer: its journal's files, for `journalctl --directory`. */
function takeJournal(rootFile: string, folder: string): void {
  const { stderr, error } = spawnSync("debugfs", ["-R", `rdump /var/log/journal ${folder}`, rootFile], {
    encoding: "utf8",
  });
  writeFileSync(path.join(folder, "debugfs.txt"), error === undefined ? stderr : String(error));
}

/** Writes what the guest still tells to a folder of the host, whose path it returns. */
export async function keepEvidence(guest: Guest, name: string): Promise<string> {
  const folder = path.join(FOLDER, name);
  mkdirSync(folder, { recursive: true });
  if (existsSync(guest.consoleLog)) copyFileSync(guest.consoleLog, path.join(folder, "console.txt"));
  let silent = false;
  for (const [file, command] of Object.entries(COMMANDS)) {
    let text: string;
    try {
      const { stdout, stderr } = await guest.exec(command, { timeoutMs: COMMAND_MILLISECONDS });
      text = stdout + stderr;
    } catch (error) {
      // The guest may be what failed.
      text = String(error);
      silent = true;
    }
    writeFileSync(path.join(folder, file), text);
  }
  if (silent && guest.rootFile !== null) takeJournal(guest.rootFile, folder);
  return folder;
}
