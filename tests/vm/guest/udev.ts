/** udev, for all that runs in the guest. Each fails when udev is not ready within a minute. */
import { mustRun } from "./command";

/** Until udev has run its rules for all events so far. */
export async function udevSettled(): Promise<void> {
  await mustRun("udevadm", ["settle", "--timeout=60"]);
}

/** Has udev look at a device again, and waits until it has. */
export async function udevLooksAt(device: string, action: "add" | "change" = "change"): Promise<void> {
  await mustRun("udevadm", ["trigger", `--action=${action}`, "--settle", device]);
}
