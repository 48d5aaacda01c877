/** All checks, in the order in which they are told. */
import { messageOf } from "../errors";
import type { Check, Examined } from "./check";
import { daemonCheck } from "./check-daemon";
import { devicesCheck } from "./check-devices";
import { fstabCheck } from "./check-fstab";
import { kernelCheck } from "./check-kernel";
import { poolsCheck } from "./check-pools";
import { stoppedPoolsCheck } from "./check-stopped-pools";
import { thinMetadataCheck } from "./check-thin-metadata";
import { toolsCheck } from "./check-tools";
import { udevCheck } from "./check-udev";
import { warning, type Finding } from "./findings";

const CHECKS: readonly Check[] = [
  daemonCheck,
  udevCheck,
  kernelCheck,
  toolsCheck,
  fstabCheck,
  poolsCheck,
  thinMetadataCheck,
  stoppedPoolsCheck,
  devicesCheck,
];

export interface CheckedFinding extends Finding {
  readonly check: string;
}

/** Never rejects: a check that cannot be made is a finding. */
export async function examine(examined: Examined): Promise<CheckedFinding[]> {
  const findings = await Promise.all(
    CHECKS.map(async ({ name, make }) => {
      const found = await make(examined).catch((error: unknown) => [
        warning(`this could not be examined: ${messageOf(error)}`),
      ]);
      return found.map((finding) => ({ check: name, ...finding }));
    }),
  );
  return findings.flat();
}
