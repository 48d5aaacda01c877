/** Alerts, which the client derives from properties (cli.md §13). */
import type { Palette } from "../output/colour";
import type { ManagedObject } from "../managed-objects";
import type { ALERT_CODES } from "../parser/pool";
import { asBytes, asFlag, asText, unboxed } from "../values";
import { maybeSize, metadataVersion } from "./shared";

export type AlertCode = (typeof ALERT_CODES)[number];

interface AlertText {
  readonly summary: string;
  readonly explanation: string;
}

export const ALERT_TEXTS: Readonly<Record<AlertCode, AlertText>> = {
  EM001: {
    summary: "Pool state changes not possible",
    explanation:
      "The pool refuses every request that would change it, because an earlier failure left it in a state that " +
      "has to be mended by hand. Queries still work.",
  },
  EM002: {
    summary: "Pool maintenance operations not possible",
    explanation:
      "The pool does not react to events any more, such as those of device-mapper that tell that it is running out " +
      "of space.",
  },
  WS001: {
    summary: "All devices fully allocated",
    explanation:
      "All space on the devices of the pool's data tier has been allocated. Add data devices to get more.",
  },
  IDS001: {
    summary: "A device in this pool has increased in size.",
    explanation:
      "At least one device of the pool's data tier has increased in size. The pool can be made to use the new space.",
  },
  WDS002: {
    summary: "A device in this pool has decreased in size.",
    explanation:
      "At least one device of the pool's data tier has decreased in size, which may lose data that was stored on it.",
  },
  WC001: {
    summary: "Volume key not loaded",
    explanation:
      "The pool's volume key is not in the keyring, so that operations on the encryption layer may fail. Setting " +
      "the pool's key in the kernel keyring may help.",
  },
  WC002: {
    summary: "Volume key status unknown",
    explanation:
      "It could not be determined whether the pool's volume key is in the keyring. Operations on the encryption " +
      "layer may fail; setting the pool's key in the kernel keyring may help.",
  },
};

/** How bad an alert is. */
export const ALERT_LEVELS: Readonly<Record<AlertCode, "remark" | "warning" | "error">> = {
  EM001: "error",
  EM002: "error",
  WDS002: "error",
  WS001: "warning",
  WC001: "warning",
  WC002: "warning",
  IDS001: "remark",
};

/** Colours the codes in a text. */
export const alertPaint =
  (palette: Palette) =>
  (text: string): string =>
    text.replace(/[A-Z]+\d+/g, (code) =>
      Object.hasOwn(ALERT_LEVELS, code) ? palette[ALERT_LEVELS[code as AlertCode]](code) : code,
    );

const AVAILABILITIES = ["fully_operational", "no_ipc_requests", "no_pool_changes"] as const;
type Availability = (typeof AVAILABILITIES)[number];

/** Which actions the pool permits; undefined if that is not known, or not known to this client. */
export function availability(pool: ManagedObject): Availability | undefined {
  const word = pool.maybe("AvailableActions", asText);
  return AVAILABILITIES.find((known) => known === word);
}

function availabilityAlerts(pool: ManagedObject): AlertCode[] {
  switch (availability(pool)) {
    case "no_pool_changes":
      return ["EM001", "EM002"];
    case "no_ipc_requests":
      return ["EM001"];
    case "fully_operational":
    case undefined:
      return [];
  }
}

function encryptionAlerts(pool: ManagedObject): AlertCode[] {
  const encrypted = pool.maybe("Encrypted", asFlag);
  const loaded = pool.maybe("VolumeKeyLoaded", unboxed);
  if (encrypted === undefined || loaded === undefined) return ["WC002"];
  if (metadataVersion(pool) !== 2 || !encrypted) return [];
  // An error text stands in for the boolean when the keyring could not be searched.
  if (typeof loaded === "string") return ["WC002"];
  return asFlag(loaded) ? [] : ["WC001"];
}

/** `devices` are the pool's. One that lacks a size tells nothing. */
function deviceAlerts(devices: readonly ManagedObject[]): AlertCode[] {
  const alerts = new Set<AlertCode>();
  for (const device of devices) {
    const recorded = device.maybe("TotalPhysicalSize", asBytes);
    const observed = maybeSize(device, "NewPhysicalSize");
    if (recorded === undefined || observed === undefined) continue;
    if (observed > recorded) alerts.add("IDS001");
    if (observed < recorded) alerts.add("WDS002");
  }
  return [...alerts];
}

/** All alerts of a pool, in alphabetical order. */
export function poolAlerts(pool: ManagedObject, devices: readonly ManagedObject[]): AlertCode[] {
  const noSpace = pool.maybe("NoAllocSpace", asFlag) === true;
  return [
    ...availabilityAlerts(pool),
    ...(noSpace ? (["WS001"] as const) : []),
    ...deviceAlerts(devices),
    ...encryptionAlerts(pool),
  ].sort();
}
