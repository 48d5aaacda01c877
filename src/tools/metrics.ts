/** From what stratisd shows on the bus to metrics. What it could not obtain, such as the use of a pool, has no sample. */
import { poolAlerts, ALERT_TEXTS } from "../../cli/actions/alerts";
import { maybeSize } from "../../cli/actions/shared";
import { ManagedObjects, type ManagedObject } from "../../cli/managed-objects";
import { asBytes, asDictionary, asFlag, asInteger, asText } from "../../cli/values";
import { hyphenated } from "../uuid";
import { daemonFamilies } from "./daemon-metrics";
import type { Family, Labels, Sample } from "./openmetrics";

/** What was asked of stratisd. */
export interface Observed {
  /** The result of GetManagedObjects. */
  readonly managed: unknown;
  /** Properties of the manager. */
  readonly version: unknown;
  readonly stoppedPools: unknown;
  /** Of the daemon about itself, JSON; null: stratisd has none, as upstream's. */
  readonly report: string | null;
  /** Bytes that the daemon has in memory; null: not known. */
  readonly memory: bigint | null;
}

type Value = bigint | boolean | undefined;

interface Measure<Of> {
  readonly name: string;
  readonly unit?: string;
  readonly help: string;
  readonly value: (of: Of) => Value;
}

interface Pool {
  readonly object: ManagedObject;
  readonly labels: Labels;
  readonly filesystems: readonly ManagedObject[];
  readonly devices: readonly ManagedObject[];
}

const bytes = <Of>(name: string, help: string, value: (of: Of) => Value): Measure<Of> => ({
  name: `stratis_${name}_bytes`,
  unit: "bytes",
  help,
  value,
});
const plain = <Of>(name: string, help: string, value: (of: Of) => Value): Measure<Of> => ({
  name: `stratis_${name}`,
  help,
  value,
});

const POOL_MEASURES: readonly Measure<Pool>[] = [
  bytes("pool_size", "Size of the pool's data devices", ({ object }) =>
    object.maybe("TotalPhysicalSize", asBytes),
  ),
  bytes("pool_used", "Space in use on the pool's data devices, for metadata as well", ({ object }) =>
    maybeSize(object, "TotalPhysicalUsed"),
  ),
  bytes("pool_allocated", "Space allocated on the pool's data devices", ({ object }) =>
    object.maybe("AllocatedSize", asBytes),
  ),
  plain("pool_no_alloc_space", "Whether all space on the pool's data devices is allocated", ({ object }) =>
    object.maybe("NoAllocSpace", asFlag),
  ),
  plain(
    "pool_overprovisioning",
    "Whether filesystems may have more space together than the pool",
    ({ object }) => object.maybe("Overprovisioning", asFlag),
  ),
  plain("pool_encrypted", "Whether the pool is encrypted", ({ object }) => object.maybe("Encrypted", asFlag)),
  plain("pool_cache", "Whether the pool has a cache", ({ object }) => object.maybe("HasCache", asFlag)),
  plain("pool_block_devices", "Number of the pool's block devices", ({ devices }) => BigInt(devices.length)),
  plain("pool_filesystems", "Number of the pool's filesystems", ({ filesystems }) =>
    BigInt(filesystems.length),
  ),
  plain("pool_filesystem_limit", "Number of filesystems that the pool may have", ({ object }) =>
    object.maybe("FsLimit", asInteger),
  ),
];

const FILESYSTEM_MEASURES: readonly Measure<ManagedObject>[] = [
  bytes("filesystem_size", "Size of the filesystem's device", (object) => object.maybe("Size", asBytes)),
  bytes("filesystem_used", "Space that the filesystem uses of its pool", (object) =>
    maybeSize(object, "Used"),
  ),
  bytes("filesystem_size_limit", "Size beyond which the filesystem does not grow", (object) =>
    maybeSize(object, "SizeLimit"),
  ),
];

const uuidOf = (object: ManagedObject): string => hyphenated(object.get("Uuid", asText));
const numeric = (value: bigint | boolean): bigint => (typeof value === "boolean" ? BigInt(value) : value);

/** Objects by the path of their pool. */
function byPool(objects: readonly ManagedObject[]): ReadonlyMap<string, ManagedObject[]> {
  const groups = new Map<string, ManagedObject[]>();
  for (const object of objects) {
    const pool = object.get("Pool", asText);
    const group = groups.get(pool);
    if (group === undefined) groups.set(pool, [object]);
    else group.push(object);
  }
  return groups;
}

function poolsOf(objects: ManagedObjects): Pool[] {
  const filesystems = byPool(objects.all("filesystem"));
  const devices = byPool(objects.all("block device"));
  return objects.all("pool").map((object) => ({
    object,
    labels: { pool: object.get("Name", asText), pool_uuid: uuidOf(object) },
    filesystems: filesystems.get(object.path) ?? [],
    devices: devices.get(object.path) ?? [],
  }));
}

interface Labelled<Of> {
  readonly of: Of;
  readonly labels: Labels;
}

const families = <Of>(measures: readonly Measure<Of>[], things: readonly Labelled<Of>[]): Family[] =>
  measures.map(({ value, ...family }) => ({
    ...family,
    samples: things.flatMap(({ of, labels }): Sample[] => {
      const measured = value(of);
      return measured === undefined ? [] : [{ labels, value: numeric(measured) }];
    }),
  }));

/** Every alert that there is, of every pool: 1 where the pool has it. */
function alertSamples({ object, labels, devices }: Pool): Sample[] {
  const alerts: readonly string[] = poolAlerts(object, devices);
  return Object.entries(ALERT_TEXTS).map(([code, { summary }]) => ({
    labels: { ...labels, code, summary },
    value: alerts.includes(code) ? 1 : 0,
  }));
}

const single = (value: bigint | number | null, labels: Labels = {}): Sample[] =>
  value === null ? [] : [{ labels, value }];

const daemonUp = (up: boolean): Family => ({
  name: "stratis_daemon_up",
  help: "Whether stratisd answered",
  samples: single(up ? 1 : 0),
});

/** When stratisd does not answer. */
export const noMetrics: readonly Family[] = [daemonUp(false)];

/** Throws CommandError when stratisd sent something of another form than its interfaces declare. */
export function stratisMetrics({ managed, version, stoppedPools, report, memory }: Observed): Family[] {
  const pools = poolsOf(new ManagedObjects(managed));
  const filesystems = pools.flatMap((pool) =>
    pool.filesystems.map((of) => ({
      of,
      labels: { ...pool.labels, filesystem: of.get("Name", asText), filesystem_uuid: uuidOf(of) },
    })),
  );
  return [
    daemonUp(true),
    {
      name: "stratis_daemon_build",
      help: "Which stratisd answered",
      samples: single(1, { version: asText(version) }),
    },
    {
      name: "stratis_daemon_memory_bytes",
      unit: "bytes",
      help: "Memory of stratisd that is resident",
      samples: single(memory),
    },
    { name: "stratis_pools", help: "Number of pools that run", samples: single(pools.length) },
    {
      name: "stratis_stopped_pools",
      help: "Number of pools that are known but do not run",
      samples: single(asDictionary(stoppedPools).size),
    },
    ...families(
      POOL_MEASURES,
      pools.map((of) => ({ of, labels: of.labels })),
    ),
    {
      name: "stratis_pool_alert",
      help: "Whether the pool has the alert",
      samples: pools.flatMap(alertSamples),
    },
    ...families(FILESYSTEM_MEASURES, filesystems),
    ...(report === null
      ? []
      : daemonFamilies(report, new Map(pools.map(({ labels }) => [labels["pool_uuid"] ?? "", labels])))),
  ];
}
