/** Filesystem interfaces (dbus-api.md §8). */
import { EngineError } from "../../engine/errors";
import { simpleUuid } from "../../uuid";
import { parseSize } from "../operations/arguments";
import { renameFilesystem } from "../operations/filesystem";
import { poolPath } from "../operations/paths";
import { optionalBytes, optionalUuid, timestamp, ZERO_UUID } from "../values";
import { rowsFor, type InterfaceTable } from "./rows";

const { method, variant, property } = rowsFor<"filesystem">();

function parseSizeLimit([present, text]: [boolean, string]): bigint | null {
  if (!present) return null;
  const limit = parseSize(text);
  if (limit === null)
    throw new EngineError(
      `Failed to parse ${text} as unsigned integer: it is not a decimal number of at most 128 bits`,
    );
  return limit;
}

export const filesystemTable: InterfaceTable<"filesystem"> = {
  kind: "filesystem",
  methods: [
    method("SetName", variant({ since: 0 }, "name:s", "result:(bs)", [false, ZERO_UUID], renameFilesystem)),
  ],
  properties: [
    property("Created", "s", [{ since: 0, emits: "const" }], {
      get: ({ filesystem }) => timestamp(filesystem.created),
    }),
    property("Name", "s", [{ since: 0, emits: "true" }], {
      changedBy: ["name"],
      get: ({ filesystem }) => filesystem.name,
    }),
    property("Devnode", "s", [{ since: 0, emits: "invalidates" }], {
      changedBy: ["name", "devnode"],
      get: ({ filesystem }) => filesystem.mountPath,
    }),
    property("Pool", "o", [{ since: 0, emits: "const" }], {
      get: ({ pool }, service) => poolPath(service, pool),
    }),
    property("Size", "s", [{ since: 0, emits: "true" }], {
      changedBy: ["size"],
      get: ({ filesystem }) => filesystem.size.toString(),
    }),
    property("Used", "(bs)", [{ since: 0, emits: "true" }], {
      changedBy: ["used"],
      get: ({ filesystem }) => optionalBytes(filesystem.used),
    }),
    property("Uuid", "s", [{ since: 0, emits: "const" }], {
      get: ({ filesystem }) => simpleUuid(filesystem.uuid),
    }),
    property("SizeLimit", "(bs)", [{ since: 6, emits: "true", access: "readwrite" }], {
      changedBy: ["sizeLimit"],
      get: ({ filesystem }) => optionalBytes(filesystem.sizeLimit),
      set: async ({ pool, filesystem }, limit) => {
        const result = await pool.setFilesystemSizeLimit(filesystem.uuid, parseSizeLimit(limit));
        return result.action === "newValue";
      },
    }),
    property("Origin", "(bs)", [{ since: 7, emits: "true" }], {
      changedBy: ["origin"],
      get: ({ filesystem }) => optionalUuid(filesystem.origin),
    }),
    property("MergeScheduled", "b", [{ since: 7, emits: "true", access: "readwrite" }], {
      changedBy: ["mergeScheduled"],
      get: ({ filesystem }) => filesystem.mergeScheduled,
      set: async ({ pool, filesystem }, scheduled) => {
        const result = await pool.setFilesystemMergeScheduled(filesystem.uuid, scheduled);
        return result.action === "newValue";
      },
    }),
  ],
};
