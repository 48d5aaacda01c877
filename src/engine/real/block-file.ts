/** Block devices as files. */
import { native, type BlockFile, type BlockFileInfo } from "../../native";

/** Opens a path for the time of `work`. */
export async function withBlockFile<T>(
  path: string,
  options: { write?: boolean; exclusive?: boolean; direct?: boolean },
  work: (file: BlockFile) => Promise<T>,
): Promise<T> {
  const file = await native().openBlockFile(path, options);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Bytes. */
export interface SectorSizes {
  logical: number;
  physical: number;
}

export const sectorSizesOf = ({ logicalSectorSize, physicalSectorSize }: BlockFileInfo): SectorSizes => ({
  logical: logicalSectorSize,
  physical: physicalSectorSize,
});
