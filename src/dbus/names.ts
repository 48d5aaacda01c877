/** Names on the bus (dbus-api.md §1, §2). */

export const BUS_NAME = "org.storage.stratis3";
export const BASE_PATH = "/org/storage/stratis3";
/** What Manager.Version says; clients accept ">=3.9.0,<4.0.0". */
export const VERSION = "3.9.2";

/** Interface revisions, oldest first. A new one is added here and then in the rows of the table that it changes. */
export const REVISIONS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
export type Revision = (typeof REVISIONS)[number];

export const KINDS = ["Manager", "Report", "pool", "filesystem", "blockdev"] as const;
/** Beside those of Stratis's API one of our own, with one interface that has no revisions. */
export const OPERATION = "operation";
export type Kind = (typeof KINDS)[number] | typeof OPERATION;

/** "org.storage.stratis3.pool.r9" */
export const interfaceName = (kind: Kind, revision: Revision): string =>
  kind === OPERATION ? `${BUS_NAME}.${kind}` : `${BUS_NAME}.${kind}.r${revision}`;

export const PEER = "org.freedesktop.DBus.Peer";
export const INTROSPECTABLE = "org.freedesktop.DBus.Introspectable";
export const PROPERTIES = "org.freedesktop.DBus.Properties";
export const OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager";
