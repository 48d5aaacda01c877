/**
 * What is known of each thing that lists show. The names are those of --columns and the keys of --json; the man page and
 * the completion are made from this too. How a value is found: actions/*-fields.ts.
 */

/**
 * Form of a value. In JSON: text and words as strings, a uuid hyphenated, a size as an integer of bytes, a time by RFC
 * 3339, data as it is described.
 */
export type FieldType = "text" | "uuid" | "size" | "integer" | "flag" | "time" | "words" | "data";

export interface FieldSpec {
  /** Header of its column. */
  readonly title: string;
  readonly type: FieldType;
  /** A time that is shown with its seconds. */
  readonly precise?: true;
  readonly help: string;
}

export interface TableSpec {
  /** Key of the list in JSON. */
  readonly key: string;
  readonly fields: Readonly<Record<string, FieldSpec>>;
  /** No signal tells of its changes. */
  readonly unsignalled?: true;
}

const name = (what: string): FieldSpec => ({ title: "Name", type: "text", help: `name of the ${what}` });
const uuid = (what: string): FieldSpec => ({ title: "UUID", type: "uuid", help: `UUID of the ${what}` });
const size = (title: string, help: string): FieldSpec => ({ title, type: "size", help });
const flag = (title: string, help: string): FieldSpec => ({ title, type: "flag", help });
const integer = (title: string, help: string): FieldSpec => ({ title, type: "integer", help });

const POOL_FIELDS = {
  name: name("pool"),
  uuid: uuid("pool"),
  total: size("Total", "size of the pool's data tier"),
  used: size("Used", "part of it that holds data or metadata"),
  free: size("Free", "total less used"),
  allocated: size("Allocated", "part of it that has been given to the pool's thin pool and metadata"),
  fully_allocated: flag("Fully Allocated", "whether no more of it can be allocated"),
  metadata_version: integer("Metadata Version", "1 or 2"),
  cache: flag("Cache", "whether the pool has a cache"),
  encrypted: flag("Encrypted", "whether the pool is encrypted"),
  overprovisioning: flag("Overprovisioning", "whether filesystems may be larger than the pool"),
  filesystem_limit: integer("Filesystem Limit", "how many filesystems the pool may have"),
  filesystems: integer("Filesystems", "how many it has"),
  devices: integer("Devices", "how many block devices it has, in both tiers"),
  available_actions: {
    title: "Actions Allowed",
    type: "text",
    help: "what can be done with it: fully_operational, no_ipc_requests or no_pool_changes",
  },
  alerts: {
    title: "Alerts",
    type: "data",
    help: "objects with code and summary; in the table the codes",
  },
  bindings: {
    title: "Bindings",
    type: "data",
    help:
      "ways to unlock the pool: objects with token_slot (null for metadata version 1), method (keyring or clevis), and " +
      "key_description, or pin and config; in the table slot and method",
  },
  free_token_slots: integer("Free Token Slots", "how many more bindings the pool may have"),
  last_reencrypted: { title: "Last Reencrypted", type: "time", help: "when the pool was encrypted anew" },
} as const satisfies Record<string, FieldSpec>;

const STOPPED_POOL_FIELDS = {
  name: name("pool"),
  uuid: uuid("pool"),
  metadata_version: integer("Metadata Version", "1 or 2; none if the devices disagree"),
  encrypted: flag("Encrypted", "whether the pool is encrypted"),
  key_description: flag("Key Description", "whether a key in the kernel keyring can unlock the pool"),
  clevis: flag("Clevis", "whether Clevis can unlock the pool"),
  devices: {
    title: "Devices",
    type: "data",
    help: "objects with uuid and device; in the table the devices",
  },
} as const satisfies Record<string, FieldSpec>;

const FILESYSTEM_FIELDS = {
  pool: { title: "Pool", type: "text", help: "name of the pool" },
  name: name("filesystem"),
  uuid: uuid("filesystem"),
  total: size("Total", "logical size"),
  used: size("Used", "space that the filesystem takes in the pool, XFS metadata included"),
  free: size("Free", "total less used"),
  limit: size("Limit", "size that the filesystem does not grow beyond; none without one"),
  device: { title: "Device", type: "text", help: "path to mount it by" },
  created: { title: "Created", type: "time", help: "when it was made" },
  origin: {
    title: "Origin",
    type: "uuid",
    help: "UUID of the filesystem that it is a snapshot of; none if it is no snapshot",
  },
  origin_name: { title: "Origin Name", type: "text", help: "name of that filesystem" },
  revert_scheduled: flag("Revert", "whether it replaces its origin when the pool is started next"),
  mount_points: {
    title: "Mount Points",
    type: "words",
    help: "where it is mounted, as the calling process sees it",
  },
} as const satisfies Record<string, FieldSpec>;

const BLOCKDEV_FIELDS = {
  pool: { title: "Pool Name", type: "text", help: "name of the pool" },
  device: { title: "Device Node", type: "text", help: "path of the device" },
  metadata_device: {
    title: "Metadata Device",
    type: "text",
    help: "path of the device that holds the Stratis metadata; another one in encrypted pools of metadata version 1",
  },
  size: size("Physical Size", "size of the device that is in use"),
  new_size: size("New Size", "size of the device as it is now; none if it has not changed"),
  tier: { title: "Tier", type: "text", help: "data or cache" },
  uuid: uuid("device"),
  hardware: { title: "Hardware", type: "text", help: "identification of the hardware" },
  initialized: { title: "Initialized", type: "time", help: "when the device was added to its pool" },
} as const satisfies Record<string, FieldSpec>;

const KEY_FIELDS = {
  description: { title: "Key Description", type: "text", help: "description in the kernel keyring" },
} as const satisfies Record<string, FieldSpec>;

const HISTORY_FIELDS = {
  time: { title: "Time", type: "time", precise: true, help: "when it ended" },
  uid: integer("UID", "user ID of the process that asked; none if that is not known, as below"),
  pid: integer("PID", "its process ID"),
  command: { title: "Command", type: "text", help: "name of its command, as the kernel has it" },
  left: flag("Left", "whether it had gone before it could be found out who it was"),
  interface: { title: "Interface", type: "text", help: "D-Bus interface; of stratisd-min its name" },
  operation: {
    title: "Operation",
    type: "text",
    help: "D-Bus method, or Set and a property; of stratisd-min the request",
  },
  object: { title: "Object", type: "text", help: "what it was about, in words; none if that needs no words" },
  pool: { title: "Pool", type: "text", help: "name of the pool that it was about" },
  pool_uuid: uuid("pool"),
  result: {
    title: "Result",
    type: "text",
    help: "ok, unchanged (everything was so already) or failed",
  },
  error: { title: "Error", type: "text", help: "why it failed" },
  duration: integer("Milliseconds", "how many milliseconds it took"),
} as const satisfies Record<string, FieldSpec>;

export const POOLS = { key: "pools", fields: POOL_FIELDS } as const satisfies TableSpec;
export const STOPPED_POOLS = {
  key: "stopped_pools",
  fields: STOPPED_POOL_FIELDS,
} as const satisfies TableSpec;
export const FILESYSTEMS = { key: "filesystems", fields: FILESYSTEM_FIELDS } as const satisfies TableSpec;
export const BLOCKDEVS = { key: "blockdevs", fields: BLOCKDEV_FIELDS } as const satisfies TableSpec;
export const KEYS = { key: "keys", fields: KEY_FIELDS, unsignalled: true } as const satisfies TableSpec;
export const HISTORY = {
  key: "history",
  fields: HISTORY_FIELDS,
  unsignalled: true,
} as const satisfies TableSpec;
