/** A message bus of the test's own: dbus-daemon with a configuration in a temporary directory. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_TIMEOUT_MS = 20_000;

export interface PrivateBus {
  readonly address: string;
  /** Ends the daemon as a crash would, and removes the directory. */
  stop(): Promise<void>;
}

const configuration = (address: string, policy: string): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  ${policy}
</busconfig>
`;

const OPEN_POLICY = `<policy context="default">
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
  </policy>`;

/** Resolves when the daemon has printed its address, which it does once it listens. */
async function listening(daemon: ChildProcess): Promise<void> {
  const { stdout, stderr } = daemon;
  if (stdout === null || stderr === null) throw new Error("dbus-daemon was started without pipes");
  let complaint = "";
  stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const failed = once(daemon, "exit").then(() => {
    throw new Error(`dbus-daemon ended at once: ${complaint}`);
  });
  const late = AbortSignal.timeout(START_TIMEOUT_MS);
  await Promise.race([once(stdout, "data", { signal: late }), failed]);
  failed.catch(() => undefined);
}

/** Starts a bus. `policy` replaces the one that allows everything. */
export async function startBus(policy = OPEN_POLICY): Promise<PrivateBus> {
  const directory = await mkdtemp(join(tmpdir(), "stratis-bus-"));
  const address = `unix:path=${join(directory, "socket")}`;
  const file = join(directory, "bus.conf");
  // A policy is tried out by several users.
  if (policy !== OPEN_POLICY) await chmod(directory, 0o755);
  await writeFile(file, configuration(address, policy));
  const daemon = spawn("dbus-daemon", [`--config-file=${file}`, "--print-address=1", "--nofork"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(daemon, "exit");
  await listening(daemon);
  return {
    address,
    stop: async () => {
      daemon.kill("SIGKILL");
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
