/** Manager methods that make and destroy pools, handle keys and report (dbus-api.md §5.2). */
import { EngineError } from "../../engine/errors";
import type { EncryptionRequest, IntegrityRequest } from "../../engine/engine";
import { daemonReport } from "../../metrics";
import { bytes } from "../../units";
import type { ServiceContext } from "../context";
import { applyChange, registerPool, removeGone, syncAll, tellingStopped, unregisterPool } from "../reconcile";
import { jsonText } from "../json";
import type { MethodCall } from "../table/rows";
import { keyDescription, optional } from "./arguments";

type Call = MethodCall<"Manager">;

export const listKeys = ({ service }: Call): Promise<string[]> => service.engine.listKeys();

/** [the key was stored, there was one before]. */
export async function setKey(
  { service, descriptors }: Call,
  text: string,
  fd: number,
): Promise<[boolean, boolean]> {
  const description = keyDescription(text);
  const key = await descriptors.readKey(fd);
  let action;
  try {
    action = await service.engine.setKey(description, key);
  } finally {
    key.wipe();
  }
  service.log.info(`SetKey: key ${description}: ${action}`);
  return [action !== "identity", action === "valueChanged"];
}

export async function unsetKey({ service }: Call, description: string): Promise<boolean> {
  const action = await service.engine.unsetKey(description);
  service.log.info(`UnsetKey: key ${description}: ${action}`);
  return action === "deleted";
}

/** (b(oao)): the pool and its block devices; a new pool has no filesystems. */
export type CreatedPool = [boolean, [string, string[]]];

export async function createPool(
  { service }: Call,
  name: string,
  devices: string[],
  encryption: EncryptionRequest,
  integrity: IntegrityRequest,
): Promise<CreatedPool> {
  const result = await service.engine.createPool({ name, devices, encryption, integrity });
  if (result.action === "identity") {
    service.log.info(`CreatePool: pool ${name} exists already with these devices`);
    return [false, ["/", []]];
  }
  const entry = registerPool(service, result.value);
  service.log.info(`CreatePool: created pool ${name} with uuid ${entry.uuid} on ${devices.join(", ")}`);
  return [true, [entry.path, [...entry.blockDevs.values()].map(({ path }) => path)]];
}

/** The reservation that r8 and later ask for; the older revisions take the engine's defaults. */
export function integrityRequest(
  journalSize: [boolean, bigint],
  tagSpec: [boolean, string],
  allocateSuperblock: [boolean, boolean],
): IntegrityRequest {
  const request: IntegrityRequest = {};
  const journal = optional(journalSize);
  if (journal !== null) request.journalSize = bytes(journal);
  const tag = optional(tagSpec);
  if (tag !== null) request.tagSpec = tag;
  const superblock = optional(allocateSuperblock);
  if (superblock !== null) request.allocateSuperblock = superblock;
  return request;
}

/** Result uuid is hyphenated, unlike any other method's (dbus-api.md §21, trap 4). */
export async function destroyPool({ service }: Call, path: string): Promise<[boolean, string]> {
  const entry = service.tree.at(path);
  if (entry?.kind !== "pool") throw new EngineError(`Object path ${path} not associated with pool`);
  try {
    const result = await tellingStopped(service, () => service.engine.destroyPool(entry.uuid));
    if (result.action === "identity") {
      service.log.info(`DestroyPool: there is no pool with uuid ${entry.uuid}`);
      return [false, ""];
    }
    unregisterPool(service, entry.uuid);
    service.log.info(`DestroyPool: destroyed pool with uuid ${result.value}`);
    return [true, result.value];
  } finally {
    // A failure can come after the pool was torn down.
    removeGone(service, entry.uuid);
  }
}

export const engineStateReport = ({ service }: Call): Promise<string> =>
  Promise.resolve(jsonText(service.engine.engineStateReport()));

/** Not upstream's: about the daemon itself, and what the properties of pools do not tell. */
const DAEMON_REPORT = "daemon_metrics";

const poolMetrics = ({ engine }: Pick<ServiceContext, "engine">): object[] =>
  engine.pools().map(({ uuid, thinMetadata, outOfSpace }) => ({
    uuid,
    thin_metadata: thinMetadata ?? null,
    out_of_space: outOfSpace ?? null,
  }));

export const getReport = ({ service }: MethodCall<"Report">, name: string): Promise<string> =>
  Promise.resolve(
    jsonText(
      name === DAEMON_REPORT
        ? { ...daemonReport(), pools: poolMetrics(service) }
        : service.engine.report(name),
    ),
  );

/** The objects follow what was found anew, which upstream leaves undone (dbus-api.md §17). */
export async function refreshState({ service }: Call): Promise<undefined> {
  const refresh = service.engine.refreshState().then((found) => {
    for (const change of found) applyChange(service, change);
    syncAll(service);
    return found;
  });
  const settled = refresh.then(
    () => undefined,
    () => undefined,
  );
  service.refreshing = settled;
  let changes;
  try {
    changes = await refresh;
  } finally {
    // Another refresh may have begun meanwhile.
    if (service.refreshing === settled) service.refreshing = undefined;
  }
  service.log.info(`RefreshState: ${changes.length} changes`);
  return undefined;
}
