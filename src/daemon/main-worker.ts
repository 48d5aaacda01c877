/**
 * The program that works on the data of a pool for stratisd: see src/engine/real/crypt/worker.ts. It ends when its work
 * is done; it ends with the piece that it is at when it is told to by a signal, and when its standard input is closed, as
 * by the daemon's end.
 */
import { closeSync } from "node:fs";
import { SECRET_DESCRIPTOR, type WorkerLine, type WorkerRequest } from "../engine/real/crypt/worker";
import { isNativeError, native, type CryptUnlock } from "../native";

const tell = (line: WorkerLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

function unlockOf({ unlock, keyslot }: WorkerRequest): CryptUnlock {
  if (unlock === "descriptor") return { fd: SECRET_DESCRIPTOR, keyslot };
  return "token" in unlock ? unlock : { ...unlock, keyslot };
}

async function work(request: WorkerRequest): Promise<void> {
  const lock = native().lockFile(request.lock);
  if (!lock.acquired) throw new Error(`Process ${lock.content} works on ${request.activeName} already`);
  lock.write(String(process.pid));
  const unlock = unlockOf(request);
  const run = native().cryptReencryptRun(
    request.container,
    { activeName: request.activeName, unlock },
    (done, total) => {
      tell({ done: String(done), total: String(total) });
    },
  );
  // It has its own.
  if ("fd" in unlock) closeSync(SECRET_DESCRIPTOR);
  const stop = (): void => {
    run.stop();
  };
  process.stdin.on("end", stop).on("error", stop);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  process.stdin.resume();
  tell({ ended: await run.ended });
}

// With the daemon its standard output may go too; the piece is finished all the same.
process.stdout.on("error", () => undefined);
work(JSON.parse(process.argv[2] ?? "") as WorkerRequest).then(
  () => process.exit(0),
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const { code, syscall, errno } = isNativeError(error) ? error : {};
    tell({
      error:
        code === undefined || syscall === undefined || errno === undefined
          ? { message }
          : { message, code, syscall, errno },
    });
    process.exitCode = 1;
    process.stdin.destroy();
  },
);
