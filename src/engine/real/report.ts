/** A running pool in the engine's state report (engine.md §5.5). */
import { deviceInUse } from "./backstore/allocation";
import type { SectorSizes } from "./block-file";
import type { RealBlockDev } from "./blockdev";
import { methodsReport } from "./crypt/tokens";
import type { RealFilesystem } from "./filesystem";
import type { RealPool } from "./pool";
import { bytesToSectors } from "../../units";

function filesystemReport(filesystem: RealFilesystem): object {
  const { record, used } = filesystem;
  return {
    name: record.name,
    uuid: record.uuid,
    size: `${record.size} sectors`,
    used: used === null ? "Unavailable" : `${used} bytes`,
    size_limit: record.sizeLimit === null ? "Not set" : `${record.sizeLimit} sectors`,
    origin: record.origin ?? "Not set",
  };
}

function deviceReport(pool: RealPool, device: RealBlockDev): object {
  const text = ({ logical, physical }: SectorSizes): string =>
    `BLKSSZGET: ${logical} bytes, BLKPBSZGET: ${physical} bytes`;
  const { crypt } = device;
  return {
    path: device.physicalPath,
    uuid: device.uuid,
    size: `${device.header.deviceSize} sectors`,
    ...(device.newSize === null ? {} : { new_size: `${bytesToSectors(device.newSize)} sectors` }),
    blksizes: `base: ${text(device.sectorSizes)}, crypt: ${crypt === null ? "None" : text(device.openSectorSizes)}`,
    ...(crypt === null ? {} : methodsReport(crypt.tokens)),
    in_use: deviceInUse(pool.core.record, device.uuid),
  };
}

export function poolReport(pool: RealPool): object {
  return {
    uuid: pool.uuid,
    name: pool.name,
    available_actions: pool.availableActions,
    fs_limit: pool.fsLimit,
    filesystems: [...pool.core.filesystems.values()].map(filesystemReport),
    blockdevs: {
      datadevs: pool.core.dataDevices().map((device) => deviceReport(pool, device)),
      cachedevs: pool.core.cacheDevices().map((device) => deviceReport(pool, device)),
    },
  };
}
