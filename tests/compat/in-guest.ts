/** Tests of other projects that run in a guest, each by itself. */
import type { CommandGuest } from "../vm/harness/guest";

/** A port of the guest's own. */
const TANG_PORT = 8099;
export const TANG_URL = `http://localhost:${TANG_PORT}`;

/** Starts a tang server in the guest, at TANG_URL. */
export async function startTang(guest: CommandGuest): Promise<void> {
  await guest.mustExec(
    `mkdir -p /run/tang && /usr/libexec/tangd-keygen /run/tang && systemd-run --quiet /usr/libexec/tangd -l -p ${TANG_PORT} /run/tang`,
  );
}

/**
 * Runs each, in one guest as long as all goes well: a run that failed may have left anything behind, and the next one gets
 * a fresh guest. Says how many of `what` passed, and returns the exit status.
 */
export async function runInGuests<Run>(
  what: string,
  runs: readonly Run[],
  boot: () => Promise<CommandGuest>,
  runOne: (guest: CommandGuest, run: Run) => Promise<boolean>,
): Promise<number> {
  let failed = 0;
  let guest: CommandGuest | null = null;
  try {
    for (const run of runs) {
      guest ??= await boot();
      if (await runOne(guest, run)) continue;
      failed += 1;
      await guest.shutdown();
      guest = null;
    }
  } finally {
    await guest?.shutdown();
  }
  console.log(`${what}: ${runs.length - failed} passed, ${failed} failed`);
  return failed === 0 && runs.length > 0 ? 0 : 1;
}

const LINES_SHOWN = 40;

/** Runs a test by a command whose exit status says whether it passed, and reports it. */
export async function runTest(
  guest: CommandGuest,
  name: string,
  { command, env, timeoutMs }: { command: string; env: Record<string, string>; timeoutMs: number },
): Promise<boolean> {
  const result = await guest.exec(`{ ${command}; } 2>&1`, { env, timeoutMs });
  const passed = result.status === 0;
  console.log(`${passed ? "pass" : "FAIL"}  ${name}`);
  if (!passed) console.log(result.stdout.split("\n").slice(-LINES_SHOWN).join("\n"));
  return passed;
}
