/** What may be asked for when filesystems are created, the same for every engine (engine.md §19.1). */
import { sectors, sectorsToBytes, sumSectors, type Sectors } from "../units";
import type { CreateFilesystemRequest } from "./engine";
import { EngineError } from "./errors";
import { DEFAULT_FILESYSTEM_SIZE, validateFilesystemSize, validateName } from "./validation";

export interface ValidatedFilesystemRequest {
  name: string;
  size: Sectors;
  sizeLimit: Sectors | null;
}

/**
 * Checks a whole batch before anything is made of it, and returns those that don't exist yet. The limit of
 * filesystems comes first and counts every request, also for those that exist: so does upstream.
 *
 * `checkSpace` gets the sum of the sizes of those that are to be made, in sectors, and throws when there is no room.
 */
export function validateFilesystemRequests(
  requests: readonly CreateFilesystemRequest[],
  existing: readonly { name: string; size: Sectors }[],
  fsLimit: bigint,
  checkSpace: (total: Sectors) => void,
): ValidatedFilesystemRequest[] {
  if (BigInt(existing.length + requests.length) > fsLimit)
    throw new EngineError(
      `The pool limit of ${fsLimit} filesystems would be exceeded: it has ${existing.length} and ` +
        `${requests.length} more were requested`,
    );
  const byName = new Map<string, ValidatedFilesystemRequest>();
  for (const request of requests) byName.set(request.name, validateSizes(request));
  const missing: ValidatedFilesystemRequest[] = [];
  for (const request of byName.values()) {
    const known = existing.find(({ name }) => name === request.name);
    if (known === undefined) missing.push(request);
  }
  checkSpace(sumSectors(missing.map(({ size }) => size)));
  for (const { name } of byName.values()) validateName(name);
  for (const known of existing) requireSameSize(known, byName.get(known.name));
  // Only of those that are to be made: with one that exists the limit is not compared.
  for (const request of missing) requireLimitAboveSize(request);
  return missing;
}

function requireLimitAboveSize({ name, size, sizeLimit }: ValidatedFilesystemRequest): void {
  if (sizeLimit !== null && sizeLimit < size)
    throw new EngineError(
      `Size limit of ${sectorsToBytes(sizeLimit)} bytes for filesystem ${name} is smaller than its size of ` +
        `${sectorsToBytes(size)} bytes`,
    );
}

function validateSizes({ name, size, sizeLimit }: CreateFilesystemRequest): ValidatedFilesystemRequest {
  const wanted = size === null ? DEFAULT_FILESYSTEM_SIZE : validateFilesystemSize(size, "Filesystem size");
  const limit = sizeLimit === null ? null : validateFilesystemSize(sizeLimit, "Filesystem size limit");
  return { name, size: sectors(wanted), sizeLimit: limit };
}

function requireSameSize(
  known: { name: string; size: Sectors },
  request: ValidatedFilesystemRequest | undefined,
): void {
  if (request === undefined || request.size === known.size) return;
  throw new EngineError(
    `Size ${sectorsToBytes(known.size)} bytes of filesystem ${known.name}, which exists already, is not the ` +
      `requested size of ${sectorsToBytes(request.size)} bytes`,
  );
}
