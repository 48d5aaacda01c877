/**
 * A process of another user that makes calls on a bus and tells what came of each. It loads everything while it is
 * still root, since that user may not be able to read these files.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Client, RemoteError, type CallOptions } from "./client";

export interface UserCall {
  member: string;
  options: CallOptions;
}
/** The name of the error that was answered, or null. */
export type Outcome = string | null;

interface Task {
  address: string;
  uid: number;
  calls: UserCall[];
}
export type Report = { uid: number; outcomes: Outcome[] } | { failure: string };

const TIMEOUT_MS = 60_000;

/** Makes the calls one after the other, as user and group `uid`. */
export async function callAs(uid: number, address: string, calls: UserCall[]): Promise<Outcome[]> {
  const child = fork(__filename);
  try {
    child.send({ address, uid, calls } satisfies Task);
    const [report] = (await once(child, "message", { signal: AbortSignal.timeout(TIMEOUT_MS) })) as [Report];
    if ("failure" in report) throw new Error(`The process of user ${uid} failed: ${report.failure}`);
    if (report.uid !== uid) throw new Error(`The process runs as user ${report.uid}, not ${uid}`);
    return report.outcomes;
  } finally {
    child.kill("SIGKILL");
  }
}

async function outcomeOf(client: Client, { member, options }: UserCall): Promise<Outcome> {
  try {
    await client.call(member, options);
    return null;
  } catch (error) {
    if (error instanceof RemoteError) return error.errorName;
    throw error;
  }
}

async function serve({ address, uid, calls }: Task): Promise<Report> {
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
  const client = await Client.connect(address);
  const outcomes: Outcome[] = [];
  for (const call of calls) outcomes.push(await outcomeOf(client, call));
  await client.close();
  return { uid: process.getuid?.() ?? -1, outcomes };
}

if (require.main === module)
  process.once("message", (task) => {
    void serve(task as Task)
      .catch((error: unknown): Report => ({
        failure: error instanceof Error ? (error.stack ?? "") : String(error),
      }))
      .then((report) => process.send?.(report));
  });
