/** How are the pools that run? */
import { ALERT_LEVELS, ALERT_TEXTS, poolAlerts, type AlertCode } from "../actions/alerts";
import { poolRow } from "../actions/pool-fields";
import { maybeSize } from "../actions/shared";
import { formatSize } from "../format/size";
import { commandLine } from "../hints/shell";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { asBytes, asFlag, asText } from "../values";
import type { Check } from "./check";
import { note, ok, warning, type Finding } from "./findings";

const LEVELS = { remark: "note", warning: "warning", error: "error" } as const;
/** From here on a pool is told to be nearly full. */
const NEARLY_FULL_PERCENT = 90n;

const nameOf = (object: ManagedObject): string => object.maybe("Name", asText) ?? "???";

function alertAdvice(code: AlertCode, pool: string): string {
  switch (code) {
    case "WS001":
      return `Add devices with: ${commandLine("stratis", "pool", "add-data", pool)} DEVICE`;
    case "IDS001":
      return `Use the new space with: ${commandLine("stratis", "pool", "extend-data", pool)}`;
    case "EM001":
    case "EM002":
    case "WC001":
    case "WC002":
    case "WDS002":
      return `See: ${commandLine("stratis", "pool", "explain", code)}`;
  }
}

const alertFindings = (objects: ManagedObjects, pool: ManagedObject): Finding[] =>
  poolAlerts(pool, poolRow(objects, pool).devices).map((code) => ({
    level: LEVELS[ALERT_LEVELS[code]],
    message: `pool "${nameOf(pool)}" has the alert ${code}: ${ALERT_TEXTS[code].summary.replace(/\.$/, "")}`,
    advice: alertAdvice(code, nameOf(pool)),
  }));

function spaceFindings(pool: ManagedObject): Finding[] {
  const total = pool.maybe("TotalPhysicalSize", asBytes);
  const used = maybeSize(pool, "TotalPhysicalUsed");
  if (total === undefined || used === undefined || used * 100n < total * NEARLY_FULL_PERCENT) return [];
  return [
    warning(
      `pool "${nameOf(pool)}" is nearly full: ${formatSize(used)} of ${formatSize(total)} are used`,
      alertAdvice("WS001", nameOf(pool)),
    ),
  ];
}

function revertFindings(objects: ManagedObjects, pool: ManagedObject): Finding[] {
  const name = nameOf(pool);
  return objects
    .matching("filesystem", { Pool: pool.path })
    .filter((filesystem) => filesystem.maybe("MergeScheduled", asFlag) === true)
    .map((filesystem) =>
      note(
        `snapshot "${nameOf(filesystem)}" of pool "${name}" will replace its origin when the pool is started next`,
        `Cancel that with: ${commandLine("stratis", "filesystem", "cancel-revert", name, nameOf(filesystem))}`,
      ),
    );
}

function poolFindings(objects: ManagedObjects, pool: ManagedObject): Finding[] {
  const findings = [
    ...alertFindings(objects, pool),
    ...spaceFindings(pool),
    ...revertFindings(objects, pool),
  ];
  return findings.length > 0 ? findings : [ok(`pool "${nameOf(pool)}" is in order`)];
}

export const poolsCheck: Check = {
  name: "pools",
  make: ({ daemon }) => {
    if (!("view" in daemon)) return Promise.resolve([note("the pools are not known without stratisd")]);
    const { objects } = daemon.view;
    const pools = objects.all("pool");
    return Promise.resolve(
      pools.length === 0 ? [ok("no pool runs")] : pools.flatMap((pool) => poolFindings(objects, pool)),
    );
  },
};
