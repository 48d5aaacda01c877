/** What the simulator tells of its pools as JSON: reports, and the metadata that would be written (engine.md §25.3). */
import { stringify } from "lossless-json";
import { bytesToSectors } from "../../units";
import { assertInvariant } from "../errors";
import type { SimBlockDev } from "./blockdev";
import type { SimFilesystem } from "./filesystem";
import type { SimPool } from "./pool";

function filesystemReport({ name, uuid, used, origin, state }: SimFilesystem): object {
  return {
    name,
    uuid,
    size: `${state.size} sectors`,
    used: `${used} bytes`,
    size_limit: state.sizeLimit === null ? "Not set" : `${state.sizeLimit} sectors`,
    origin: origin ?? "Not set",
  };
}

const deviceReport = ({ devnode, uuid, size }: SimBlockDev): object => ({
  path: devnode,
  uuid,
  size: `${bytesToSectors(size)} sectors`,
});

/** Upstream's simulator says "pool_uuid" where its real engine says "uuid". */
export function poolReport(pool: SimPool): object {
  return {
    pool_uuid: pool.uuid,
    name: pool.name,
    available_actions: pool.availableActions,
    fs_limit: pool.fsLimit,
    filesystems: pool.simFilesystems.all().map(filesystemReport),
    blockdevs: {
      datadevs: pool.devices.inTier("data").map(deviceReport),
      cachedevs: pool.devices.inTier("cache").map(deviceReport),
    },
  };
}

/** Numbers may be bigint. */
function jsonText(value: object): string {
  const text = stringify(value);
  assertInvariant(text !== undefined, "a JSON object has no text");
  return text;
}

/** Nothing is ever written, so that the name in what was last written is only a placeholder. */
export function poolMetadata(pool: SimPool, current: boolean): string {
  const { tagSpec, journalSize, blockSize, allocateSuperblock } = pool.integrity;
  return jsonText({
    name: current ? pool.name : "<name>",
    fs_limit: pool.fsLimit,
    enable_overprov: pool.overprovisioning,
    integrity_spec: {
      tag_spec: tagSpec,
      journal_size: journalSize,
      block_size: blockSize,
      allocate_superblock: allocateSuperblock,
    },
  });
}

/** `name` restricts it to one filesystem; one that is not known gives an empty object. */
export function filesystemMetadata(pool: SimPool, name: string | null): string {
  const wanted = pool.simFilesystems.all().filter((filesystem) => name === null || filesystem.name === name);
  const records = wanted.map(({ uuid, created, origin, mergeScheduled, state }) => [
    uuid,
    {
      name: state.name,
      uuid,
      size: state.size,
      created: created.getTime() / 1000,
      ...(state.sizeLimit === null ? {} : { fs_size_limit: state.sizeLimit }),
      ...(origin === null ? {} : { origin }),
      merge: mergeScheduled,
    },
  ]);
  return jsonText(Object.fromEntries(records) as object);
}
