/** Which pools are stopped, and why? */
import { stoppedPools, type StoppedPool } from "../actions/stopped-pools";
import { hyphenated } from "../format/uuid";
import type { Json } from "../format/json";
import { commandLine } from "../hints/shell";
import type { Check } from "./check";
import { note, ok, warning, type Finding } from "./findings";

/** The 32 digits of the UUIDs in a list of the report. */
function uuidsIn(report: Json, list: string): Set<string> {
  const entries = report instanceof Map ? report.get(list) : undefined;
  return new Set(
    (Array.isArray(entries) ? entries : []).flatMap((entry) => {
      const uuid = entry instanceof Map ? entry.get("pool_uuid") : undefined;
      return typeof uuid === "string" ? [uuid.replaceAll("-", "")] : [];
    }),
  );
}

/** Whether several pools have the pool's name, which therefore is not told. */
function isNameShared(report: Json, { uuid }: StoppedPool): boolean {
  const names = report instanceof Map ? report.get("name_to_pool_uuid_map") : undefined;
  if (!(names instanceof Map)) return false;
  return [...names.values()].some(
    (uuids) =>
      Array.isArray(uuids) &&
      uuids.some((other) => typeof other === "string" && other.replaceAll("-", "") === uuid),
  );
}

const isEncrypted = ({ version, features, keyDescription, clevis }: StoppedPool): boolean =>
  version === 1 ? keyDescription !== undefined || clevis !== undefined : features?.has("encryption") === true;

function stoppedFinding(pool: StoppedPool, report: Json): Finding {
  const named = pool.name === undefined ? ["--uuid", hyphenated(pool.uuid)] : ["--name", pool.name];
  const start = commandLine("stratis", "pool", "start", ...named);
  const what =
    pool.name === undefined ? `the pool with UUID ${hyphenated(pool.uuid)}` : `pool "${pool.name}"`;
  const devices = pool.devices.map(({ devnode }) => devnode).join(", ");
  if (pool.version === null)
    return warning(
      `${what} cannot be started: its devices, ${devices}, disagree on the version of their metadata`,
    );
  if (isNameShared(report, pool))
    return warning(
      `${what} is stopped, because another pool has the same name`,
      `Start it with the other one stopped, and rename it: ${start}`,
    );
  if (uuidsIn(report, "partially_constructed_pools").has(pool.uuid))
    return warning(
      `${what} could not be started with the devices that are there: ${devices}`,
      "Attach those that are missing, or see the log of stratisd: journalctl -u stratisd",
    );
  if (pool.features === null && pool.version === 2)
    return warning(
      `${what} is stopped, and its metadata cannot be read from the devices that are there: ${devices}`,
      "Attach those that are missing.",
    );
  if (isEncrypted(pool))
    return note(`${what} is stopped and encrypted`, `Unlock and start it with: ${start} --unlock-method any`);
  return note(`${what} is stopped, and stays so until it is started`, `Start it with: ${start}`);
}

export const stoppedPoolsCheck: Check = {
  name: "stopped pools",
  make: ({ daemon, context }) => {
    if (!("view" in daemon)) return Promise.resolve([]);
    const pools = stoppedPools(context, daemon.view.stoppedPools);
    if (pools.length === 0) return Promise.resolve([ok("no pool is stopped")]);
    return Promise.resolve(pools.map((pool) => stoppedFinding(pool, daemon.view.report)));
  },
};
