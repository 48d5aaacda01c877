/** The machine that is examined: its files and programs. `root` is another directory than / in tests. */
import { execFile } from "node:child_process";
import { access, constants, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const RUN_TIMEOUT_MS = 10_000;
/** Where stratisd looks for programs: PATH is not asked. */
const PROGRAM_DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

export interface Output {
  /** null: ended by a signal, or not in time. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  readonly root: string;
  /** Effective. */
  readonly userId: number;
  /** null if there is no such file; rejects if it cannot be read. */
  read(path: string): Promise<string | null>;
  /** As read, without decoding. */
  readBytes(path: string): Promise<Buffer | null>;
  /** Names in a directory; none if there is no such directory. */
  list(path: string): Promise<string[]>;
  isThere(path: string): Promise<boolean>;
  isExecutable(path: string): Promise<boolean>;
  /** The path of a program, where stratisd looks for it. */
  find(program: string): Promise<string | null>;
  /** null if there is no such program. */
  run(program: string, ...args: readonly string[]): Promise<Output | null>;
}

const isAbsence = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");

async function unlessAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (isAbsence(error)) return null;
    throw error;
  }
}

const permits = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );

export function machineAt(root: string): Machine {
  const at = (path: string): string => join(root, path);
  const find = async (program: string): Promise<string | null> => {
    for (const directory of PROGRAM_DIRECTORIES) {
      const path = join(directory, program);
      if (await permits(at(path), constants.X_OK)) return path;
    }
    return null;
  };
  return {
    root,
    userId: process.geteuid?.() ?? 0,
    read: (path) => unlessAbsent(readFile(at(path), "utf8")),
    readBytes: (path) => unlessAbsent(readFile(at(path))),
    list: async (path) => ((await unlessAbsent(readdir(at(path)))) ?? []).sort(),
    isThere: (path) => permits(at(path), constants.F_OK),
    isExecutable: (path) => permits(at(path), constants.X_OK),
    find,
    run: async (program, ...args) => {
      const path = await find(program);
      if (path === null) return null;
      return await new Promise((resolve) => {
        const options = {
          timeout: RUN_TIMEOUT_MS,
          env: { LC_ALL: "C", PATH: PROGRAM_DIRECTORIES.join(":") },
        };
        execFile(at(path), args, options, (error, stdout, stderr) => {
          // A failure to run it at all is told by what it did not print.
          const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
          resolve({ status, stdout, stderr });
        });
      });
    },
  };
}
