/** Names on the bus (cli.md §6.1). */

export const BUS_NAME = "org.storage.stratis3";
export const TOP_OBJECT = "/org/storage/stratis3";

export const MANAGER = "org.storage.stratis3.Manager.r9";
/** Has been there since stratisd 3.0, so that an old daemon can be asked for its version too. */
export const OLDEST_MANAGER = "org.storage.stratis3.Manager.r0";
export const REPORT = "org.storage.stratis3.Report.r9";
export const POOL = "org.storage.stratis3.pool.r9";
export const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
export const BLOCKDEV = "org.storage.stratis3.blockdev.r9";
/** Not of Stratis's API: an object that is there while a pool is encrypted, re-encrypted or decrypted in place. */
export const OPERATION = "org.storage.stratis3.operation";

export const PROPERTIES = "org.freedesktop.DBus.Properties";
export const OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager";

/** Error names. */
export const ERROR = {
  accessDenied: "org.freedesktop.DBus.Error.AccessDenied",
  disconnected: "org.freedesktop.DBus.Error.Disconnected",
  failed: "org.freedesktop.DBus.Error.Failed",
  nameHasNoOwner: "org.freedesktop.DBus.Error.NameHasNoOwner",
  noReply: "org.freedesktop.DBus.Error.NoReply",
  serviceUnknown: "org.freedesktop.DBus.Error.ServiceUnknown",
  zbus: "org.freedesktop.zbus.Error",
} as const;
