/** How full is the metadata of the pools' thin pools, which only the kernel tells? */
import { parseThinPoolStatus } from "../../src/dm/thin-pool";
import { poolOfDmName } from "../../src/dm/names";
import { messageOf } from "../errors";
import type { ManagedObjects } from "../managed-objects";
import { asText } from "../values";
import type { Check } from "./check";
import { failure, note, ok, warning, type Finding } from "./findings";

const NEARLY_FULL_PERCENT = 90n;
const ROOT = 0;

/** Lines of `dmsetup status`: name, start, length, type, and what the target tells. */
const STATUS = /^(\S+): (\d+) (\d+) (thin-pool) (.*)$/;

const poolText = (uuid: string, names: ReadonlyMap<string, string>): string => {
  const name = names.get(uuid.replaceAll("-", ""));
  return name === undefined ? `the pool with UUID ${uuid}` : `pool "${name}"`;
};

function metadataFinding(used: bigint, total: bigint, pool: string): Finding {
  const percent = total === 0n ? 100n : (used * 100n) / total;
  if (percent < NEARLY_FULL_PERCENT) return ok(`the thin metadata of ${pool} is ${percent} % full`);
  return warning(
    `the thin metadata of ${pool} is ${percent} % full`,
    "Destroy snapshots that are not needed, or add devices, so that stratisd can extend it.",
  );
}

function statusFindings(line: string, names: ReadonlyMap<string, string>): Finding[] {
  const [, name = "", start = "", length = "", type = "", params = ""] = STATUS.exec(line) ?? [];
  const uuid = poolOfDmName(name);
  if (uuid === null) return [];
  const pool = poolText(uuid, names);
  const status = parseThinPoolStatus({ start: BigInt(start), length: BigInt(length), type, params });
  if (status.kind !== "working")
    return [
      failure(
        `the thin pool of ${pool} has failed`,
        "Stop the pool and start it, which checks its metadata.",
      ),
    ];
  const findings = [metadataFinding(status.usedMeta, status.totalMeta, pool)];
  if (status.needsCheck)
    findings.push(failure(`the thin pool of ${pool} is marked to be checked`, "Stop the pool and start it."));
  if (status.mode === "ro")
    findings.push(
      failure(`the thin pool of ${pool} is read-only`, "See the messages of the kernel: journalctl -k"),
    );
  if (status.mode === "out_of_data_space")
    findings.push(
      failure(`the thin pool of ${pool} has no space left`, "Add devices with: stratis pool add-data"),
    );
  return findings;
}

const poolNames = (objects: ManagedObjects | undefined): Map<string, string> =>
  new Map(
    (objects?.all("pool") ?? []).map((pool) => [
      pool.maybe("Uuid", asText) ?? "",
      pool.maybe("Name", asText) ?? "???",
    ]),
  );

export const thinMetadataCheck: Check = {
  name: "thin pools",
  make: async ({ machine, daemon }) => {
    if (machine.userId !== ROOT) return [note("only root can see how full the thin pools' metadata is")];
    const output = await machine.run("dmsetup", "status", "--target", "thin-pool");
    if (output === null)
      return [note("dmsetup, which tells how full the thin pools' metadata is, is not there")];
    if (output.status !== 0)
      return [
        note(
          `dmsetup does not tell how full the thin pools' metadata is: ${output.stderr.split("\n")[0] ?? ""}`,
        ),
      ];
    const names = poolNames("view" in daemon ? daemon.view.objects : undefined);
    return output.stdout.split("\n").flatMap((line) => {
      try {
        return statusFindings(line, names);
      } catch (error) {
        return [note(`what the kernel says of a thin pool cannot be understood: ${messageOf(error)}`)];
      }
    });
  },
};
