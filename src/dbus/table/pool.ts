/** Pool interfaces (dbus-api.md §7). */
import { optional, slottedEncryption } from "../operations/arguments";
import * as encryption from "../operations/encryption";
import * as operations from "../operations/pool";
import * as values from "../values";
import { simpleUuid } from "../../uuid";
import { rowsFor, type InterfaceTable } from "./rows";

const { method, question, variant, property } = rowsFor<"pool">();

/** Revisions before and from the arrival of token slots. */
const ONE_SLOT = { since: 0, until: 7 } as const;
const SLOTS = { since: 8 } as const;

const filesystemMethods = [
  method(
    "CreateFilesystems",
    variant({ since: 0, until: 5 }, "specs:a(s(bs))", "results:(ba(os))", [false, []], async (call, specs) =>
      operations.createFilesystems(
        call,
        specs.map(([name, size]) => [name, size, [false, ""]]),
      ),
    ),
    variant(
      { since: 6 },
      "specs:a(s(bs)(bs))",
      "results:(ba(os))",
      [false, []],
      operations.createFilesystems,
    ),
  ),
  method(
    "DestroyFilesystems",
    variant({ since: 0 }, "filesystems:ao", "results:(bas)", [false, []], operations.destroyFilesystems),
  ),
  method(
    "SnapshotFilesystem",
    variant(
      { since: 0 },
      "origin:o snapshot_name:s",
      "result:(bo)",
      [false, "/"],
      operations.snapshotFilesystem,
    ),
  ),
];

const deviceMethods = [
  method(
    "AddDataDevs",
    variant({ since: 0 }, "devices:as", "results:(bao)", [false, []], operations.addDataDevs),
  ),
  method(
    "InitCache",
    variant({ since: 0 }, "devices:as", "results:(bao)", [false, []], operations.initCache),
  ),
  method(
    "AddCacheDevs",
    variant({ since: 0 }, "devices:as", "results:(bao)", [false, []], operations.addCacheDevs),
  ),
];

const bindingMethods = [
  method(
    "BindClevis",
    variant(ONE_SLOT, "pin:s json:s", "results:b", false, async (call, pin, json) =>
      encryption.bindClevis(call, pin, json, "legacy"),
    ),
    variant(SLOTS, "pin:s json:s token_slot:(bu)", "results:b", false, async (call, pin, json, slot) =>
      encryption.bindClevis(call, pin, json, optional(slot)),
    ),
  ),
  method(
    "BindKeyring",
    variant(ONE_SLOT, "key_desc:s", "results:b", false, async (call, key) =>
      encryption.bindKeyring(call, key, "legacy"),
    ),
    variant(SLOTS, "key_desc:s token_slot:(bu)", "results:b", false, async (call, key, slot) =>
      encryption.bindKeyring(call, key, optional(slot)),
    ),
  ),
  method(
    "RebindClevis",
    variant(ONE_SLOT, "", "results:b", false, async (call) => encryption.rebindClevis(call, null)),
    variant(SLOTS, "token_slot:(bu)", "results:b", false, async (call, slot) =>
      encryption.rebindClevis(call, optional(slot)),
    ),
  ),
  method(
    "RebindKeyring",
    variant(ONE_SLOT, "key_desc:s", "results:b", false, async (call, key) =>
      encryption.rebindKeyring(call, key, null),
    ),
    variant(SLOTS, "key_desc:s token_slot:(bu)", "results:b", false, async (call, key, slot) =>
      encryption.rebindKeyring(call, key, optional(slot)),
    ),
  ),
  method(
    "UnbindClevis",
    variant(ONE_SLOT, "", "results:b", false, async (call) => encryption.unbindClevis(call, null)),
    variant(SLOTS, "token_slot:(bu)", "results:b", false, async (call, slot) =>
      encryption.unbindClevis(call, optional(slot)),
    ),
  ),
  method(
    "UnbindKeyring",
    variant(ONE_SLOT, "", "results:b", false, async (call) => encryption.unbindKeyring(call, null)),
    variant(SLOTS, "token_slot:(bu)", "results:b", false, async (call, slot) =>
      encryption.unbindKeyring(call, optional(slot)),
    ),
  ),
];

const laterMethods = [
  method(
    "GrowPhysicalDevice",
    variant({ since: 3 }, "dev:s", "results:b", false, operations.growPhysicalDevice),
  ),
  question("Metadata", variant({ since: 7 }, "current:b", "results:s", "", operations.metadata)),
  question(
    "FilesystemMetadata",
    variant({ since: 7 }, "fs_name:(bs) current:b", "results:s", "", operations.filesystemMetadata),
  ),
  method(
    "EncryptPool",
    variant(
      { since: 9 },
      "key_descs:a((bu)s) clevis_infos:a((bu)ss)",
      "results:b",
      false,
      async (call, keys, clevis) => encryption.encryptPool(call, slottedEncryption(keys, clevis)),
    ),
  ),
  method("ReencryptPool", variant({ since: 9 }, "", "results:b", false, encryption.reencryptPool)),
  method("DecryptPool", variant({ since: 9 }, "", "results:b", false, encryption.decryptPool)),
];

/** Announced in this order when the encryption changes. */
const encryptionProperties = [
  property("KeyDescription", "(b(bs))", [{ ...ONE_SLOT, emits: "true" }], {
    changedBy: ["encryption"],
    get: ({ pool }) => values.singleKeyDescription(pool),
  }),
  property("KeyDescriptions", "v", [{ ...SLOTS, emits: "true" }], {
    changedBy: ["encryption"],
    get: ({ pool }) => values.keyDescriptions(pool),
  }),
  property("ClevisInfo", "(b(b(ss)))", [{ ...ONE_SLOT, emits: "true" }], {
    changedBy: ["encryption"],
    get: ({ pool }) => values.singleClevisInfo(pool),
  }),
  property("ClevisInfos", "v", [{ ...SLOTS, emits: "true" }], {
    changedBy: ["encryption"],
    get: ({ pool }) => values.clevisInfos(pool),
  }),
  property(
    "Encrypted",
    "b",
    [
      { since: 0, until: 8, emits: "const" },
      { since: 9, emits: "true" },
    ],
    { changedBy: ["encryption"], get: ({ pool }) => pool.encrypted },
  ),
  property("FreeTokenSlots", "(by)", [{ ...SLOTS, emits: "true" }], {
    changedBy: ["encryption"],
    get: ({ pool }) => values.freeTokenSlots(pool),
  }),
  property("LastReencryptedTimestamp", "(bs)", [{ since: 9, emits: "true" }], {
    changedBy: ["lastReencrypted"],
    get: ({ pool }) =>
      values.optionalText(pool.lastReencrypted === null ? null : values.timestamp(pool.lastReencrypted)),
  }),
  property("VolumeKeyLoaded", "v", [{ ...SLOTS, emits: "false" }], {
    get: ({ pool }) => values.volumeKeyLoaded(pool),
  }),
];

const sizeProperties = [
  property("TotalPhysicalSize", "s", [{ since: 0, emits: "true" }], {
    changedBy: ["totalPhysicalSize"],
    get: ({ pool }) => pool.totalPhysicalSize.toString(),
  }),
  property("AllocatedSize", "s", [{ since: 0, emits: "true" }], {
    changedBy: ["allocatedSize"],
    get: ({ pool }) => pool.allocatedSize.toString(),
  }),
  property("TotalPhysicalUsed", "(bs)", [{ since: 0, emits: "true" }], {
    changedBy: ["totalPhysicalUsed"],
    get: ({ pool }) => values.usedBytes(pool.totalPhysicalUsed),
  }),
  property("NoAllocSpace", "b", [{ since: 1, emits: "true" }], {
    changedBy: ["noAllocSpace"],
    get: ({ pool }) => pool.noAllocSpace,
  }),
];

export const poolTable: InterfaceTable<"pool"> = {
  kind: "pool",
  methods: [
    ...filesystemMethods,
    ...deviceMethods,
    method("SetName", variant({ since: 0 }, "name:s", "result:(bs)", [false, ""], operations.renamePool)),
    ...bindingMethods,
    ...laterMethods,
  ],
  properties: [
    property("Uuid", "s", [{ since: 0, emits: "const" }], { get: ({ pool }) => simpleUuid(pool.uuid) }),
    property("Name", "s", [{ since: 0, emits: "true" }], {
      changedBy: ["name"],
      get: ({ pool }) => pool.name,
    }),
    property("AvailableActions", "s", [{ since: 0, emits: "true" }], {
      changedBy: ["availableActions"],
      get: ({ pool }) => pool.availableActions,
    }),
    property("MetadataVersion", "t", [{ ...SLOTS, emits: "const" }], {
      get: ({ pool }) => BigInt(pool.metadataVersion),
    }),
    ...encryptionProperties,
    property("HasCache", "b", [{ since: 0, emits: "true" }], {
      changedBy: ["hasCache"],
      get: ({ pool }) => pool.hasCache,
    }),
    ...sizeProperties,
    // Both are announced on all revisions after every successful Set (§11.4).
    property("FsLimit", "t", [{ since: 1, emits: "true", access: "readwrite" }], {
      changedBy: ["fsLimit"],
      get: ({ pool }) => pool.fsLimit,
      set: async ({ pool }, limit) => {
        await pool.setFsLimit(limit);
        return true;
      },
    }),
    property("Overprovisioning", "b", [{ since: 1, emits: "true", access: "readwrite" }], {
      changedBy: ["overprovisioning"],
      get: ({ pool }) => pool.overprovisioning,
      set: async ({ pool }, enabled) => {
        await pool.setOverprovisioning(enabled);
        return true;
      },
    }),
  ],
};
