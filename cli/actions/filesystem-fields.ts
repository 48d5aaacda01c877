/** The fields of a filesystem (parser/fields.ts). */
import { freeOf } from "../format/size";
import type { ManagedObject } from "../managed-objects";
import type { Getters } from "../output/fields";
import type { FILESYSTEMS } from "../parser/fields";
import { asBytes, asFlag, asOptional, asText } from "../values";
import { maybeSize } from "./shared";

export interface FilesystemRow {
  readonly filesystem: ManagedObject;
  readonly poolName: string | undefined;
  /** The name of the filesystem with a UUID, if there is one. */
  readonly nameOf: (uuid: string) => string | undefined;
  /** undefined: not looked for, or not known. */
  readonly mountPoints: readonly string[] | undefined;
}

const total = (filesystem: ManagedObject): bigint | undefined => filesystem.maybe("Size", asBytes);

const originOf = (filesystem: ManagedObject): string | null | undefined =>
  filesystem.maybe("Origin", (value) => asOptional(value, asText));

function originName({ filesystem, nameOf }: FilesystemRow): string | null | undefined {
  const origin = originOf(filesystem);
  return typeof origin === "string" ? nameOf(origin) : origin;
}

export const FILESYSTEM_GETTERS: Getters<(typeof FILESYSTEMS)["fields"], FilesystemRow> = {
  pool: ({ poolName }) => poolName,
  name: ({ filesystem }) => filesystem.maybe("Name", asText),
  uuid: ({ filesystem }) => filesystem.maybe("Uuid", asText),
  total: ({ filesystem }) => total(filesystem),
  used: ({ filesystem }) => maybeSize(filesystem, "Used"),
  free: ({ filesystem }) => freeOf(total(filesystem), maybeSize(filesystem, "Used")),
  limit: ({ filesystem }) => filesystem.maybe("SizeLimit", (value) => asOptional(value, asBytes)),
  device: ({ filesystem }) => filesystem.maybe("Devnode", asText),
  created: ({ filesystem }) => filesystem.maybe("Created", asText),
  origin: ({ filesystem }) => originOf(filesystem),
  origin_name: originName,
  revert_scheduled: ({ filesystem }) => filesystem.maybe("MergeScheduled", asFlag),
  mount_points: ({ mountPoints }) => mountPoints,
};
