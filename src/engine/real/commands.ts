/** The programs that the engine runs on filesystems and thin pools, without a shell and off the event loop. */
import { sectorsToBytes, type Sectors } from "../../units";
import type { EngineError } from "../errors";
import { native, type RunOptions, type RunResult } from "../../native";
import { programFailure, requireProgram } from "./programs";

const REQUIRED = ["mkfs.xfs", "xfs_db", "xfs_growfs", "thin_check", "thin_repair"] as const;
type Program = (typeof REQUIRED)[number];

/** Throws EngineError naming the first program that is missing. */
export async function locatePrograms(): Promise<void> {
  for (const program of REQUIRED) await requireProgram(program);
}

async function runProgram(program: Program, args: string[], options?: RunOptions): Promise<RunResult> {
  return await native().run(await requireProgram(program), args, options);
}

const failure = (program: Program, args: string[], result: RunResult): EngineError =>
  programFailure(program, args, result, result.stdout);

async function mustRun(program: Program, args: string[], options?: RunOptions): Promise<RunResult> {
  const result = await runProgram(program, args, options);
  if (result.status !== 0) throw failure(program, args, result);
  return result;
}

let nrext64Arguments: string[] | undefined;

/** mkfs.xfs since 6.0 makes large extent counters by default, which upstream switches off for older kernels. */
async function largeExtentArguments(): Promise<string[]> {
  if (nrext64Arguments === undefined) {
    const { stdout } = await mustRun("mkfs.xfs", ["-V"]);
    const major = /mkfs\.xfs version (\d+)\./.exec(stdout)?.[1];
    nrext64Arguments = major !== undefined && Number(major) < 6 ? [] : ["-i", "nrext64=0"];
  }
  return nrext64Arguments;
}

/** mkfs.xfs with the defaults of mkfs.xfs, as upstream makes the metadata volume. */
export async function makeMetadataVolume(device: string, uuid: string): Promise<void> {
  await mustRun("mkfs.xfs", ["-f", device, "-m", `uuid=${uuid}`, ...(await largeExtentArguments())]);
}

const TEBIBYTE = 1n << 40n;

/**
 * mkfs.xfs for a user's filesystem on a fresh thin device of `size`.
 *
 * Every block that mkfs writes, and every block that a snapshot's change of UUID touches, costs a 1 MiB block of the
 * pool. So the log has 64 MiB, the least that mkfs.xfs accepts, instead of 512 MiB for 1 TiB; and there are four
 * allocation groups, what XFS takes for a single plain disk, instead of the 32 that it derives from the stripe
 * hints of a thin device (spec/xfs-uuid.md has the figures). From 4 TiB on, groups have their greatest size anyway.
 * Discarding (-K leaves it out) a thin device without a mapped block would only cost time.
 */
export async function makeFilesystem(device: string, uuid: string, size: Sectors): Promise<void> {
  const groups = sectorsToBytes(size) < 4n * TEBIBYTE ? ["-d", "agcount=4"] : [];
  const layout = ["-K", "-l", "size=64m", ...groups];
  await mustRun("mkfs.xfs", [
    "-f",
    device,
    "-m",
    `uuid=${uuid}`,
    ...layout,
    ...(await largeExtentArguments()),
  ]);
}

export async function growFilesystem(mountPoint: string): Promise<void> {
  await mustRun("xfs_growfs", [mountPoint, "-d"]);
}

/** Sets a filesystem's UUID by rewriting its log: the way for filesystems that changeXfsUuid declines. */
export async function setXfsUuidByXfsDb(device: string, uuid: string): Promise<void> {
  // xfs_db exits with 0 when it refuses (a dirty log, for one); what it says then is the only sign.
  const args = ["-x", "-c", `uuid ${uuid}`, device];
  const result = await mustRun("xfs_db", args);
  if (!result.stdout.includes(uuid)) throw failure("xfs_db", args, result);
}

/**
 * True when thin-pool metadata is sound (after trivial repairs); false when thin_check found damage. Throws when it
 * could not be run at all, which says nothing about the metadata.
 */
export async function thinMetadataIsSound(device: string): Promise<{ sound: boolean; findings: string }> {
  const args = ["--auto-repair", device];
  const result = await runProgram("thin_check", args);
  if (result.status === 0) return { sound: true, findings: "" };
  const findings = `${result.stdout}${result.stderr}`.trim();
  // Damage has exit status 1 or 64, by version. An option that is not known, or a killed checker, is no verdict.
  if (result.status === null || /unexpected argument|unrecognized option|invalid option/i.test(findings))
    throw failure("thin_check", args, result);
  return { sound: false, findings };
}

export async function repairThinMetadata(from: string, to: string): Promise<void> {
  await mustRun("thin_repair", ["-i", from, "-o", to]);
}
