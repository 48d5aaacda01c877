/** Is stratisd there, and can it be spoken to? */
import { CallError } from "../stratisd";
import { messageOf, NoBusError, VersionError } from "../errors";
import { ERROR } from "../names";
import type { Check, Examined } from "./check";
import { failure, ok, warning, type Finding } from "./findings";
import type { Machine } from "./machine";

const UNIT = "stratisd.service";
const UNIT_DIRECTORIES = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];
const POLICY_DIRECTORIES = ["/etc/dbus-1/system.d", "/usr/share/dbus-1/system.d"];
const POLICY = "stratisd.conf";

async function isRunning(machine: Machine): Promise<boolean> {
  const processes = (await machine.list("/proc")).filter((name) => /^\d+$/.test(name));
  // A process that has ended meanwhile has no name any more.
  const names = await Promise.all(processes.map((id) => machine.read(`/proc/${id}/comm`).catch(() => null)));
  return names.some((name) => name?.trimEnd() === "stratisd");
}

async function absence(machine: Machine): Promise<Finding> {
  if (await isRunning(machine))
    return failure(
      "a process stratisd runs, but it is not on the message bus",
      "See its log with: journalctl -u stratisd",
    );
  return failure("stratisd does not run", "Start it with: systemctl start stratisd");
}

async function daemonFinding({ machine, daemon }: Examined): Promise<Finding> {
  if ("view" in daemon) return ok(`stratisd ${daemon.view.version} answers on the message bus`);
  const { error } = daemon;
  if (error instanceof NoBusError)
    return failure(
      `the message bus cannot be reached: stratis ${error.message}`,
      "See: systemctl status dbus",
    );
  if (error instanceof VersionError) return failure(error.message, "Install versions of both that fit.");
  if (error instanceof CallError) {
    const { errorName } = error.dbusError;
    if (errorName === ERROR.nameHasNoOwner || errorName === ERROR.serviceUnknown) return absence(machine);
    if (errorName === ERROR.accessDenied)
      return warning(
        "this user may not ask stratisd everything",
        "Run it with sudo, to have everything examined.",
      );
  }
  return failure(`stratisd cannot be asked: ${messageOf(error)}`, "See its log with: journalctl -u stratisd");
}

async function unitFinding({ machine }: Examined): Promise<Finding> {
  for (const directory of UNIT_DIRECTORIES)
    if (await machine.isThere(`${directory}/${UNIT}`)) return ok(`systemd has ${directory}/${UNIT}`);
  return warning(
    `systemd has no ${UNIT}`,
    `Install it in ${UNIT_DIRECTORIES[2] ?? ""}: without it stratisd is not started at boot.`,
  );
}

async function policyFinding({ machine }: Examined): Promise<Finding> {
  for (const directory of POLICY_DIRECTORIES) {
    const path = `${directory}/${POLICY}`;
    const text = await machine.read(path);
    if (text === null) continue;
    if (/<allow\s+own="org\.storage\.stratis3"\s*\/>/.test(text))
      return ok(`${path} lets stratisd onto the message bus`);
    return failure(
      `${path} does not let stratisd own its name`,
      "Install the file that comes with stratisd.",
    );
  }
  return failure(
    `the policy of the message bus, ${POLICY}, is in none of ${POLICY_DIRECTORIES.join(", ")}`,
    `Install it in ${POLICY_DIRECTORIES[1] ?? ""} and reload the bus.`,
  );
}

export const daemonCheck: Check = {
  name: "daemon",
  make: (examined) => Promise.all([daemonFinding(examined), unitFinding(examined), policyFinding(examined)]),
};
