/** Manager interfaces (dbus-api.md §5). */
import { VERSION } from "../names";
import {
  optionalUnlockWord,
  poolIdentifier,
  singleEncryption,
  slottedEncryption,
  unlockSlot,
} from "../operations/arguments";
import {
  createPool,
  destroyPool,
  engineStateReport,
  integrityRequest,
  listKeys,
  refreshState,
  setKey,
  unsetKey,
  type CreatedPool,
} from "../operations/manager";
import {
  passphrase,
  startPool,
  stopPoolAtPath,
  stopPoolById,
  unlockPool,
  type StartedPool,
} from "../operations/start-stop";
import { lockedPools, stoppedPools } from "../values";
import { rowsFor, type InterfaceTable } from "./rows";

const { method, question, variant, property } = rowsFor<"Manager">();

const NOT_CREATED: CreatedPool = [false, ["/", []]];
const NOT_STARTED: StartedPool = [false, ["/", [], []]];

const createPoolRow = method(
  "CreatePool",
  variant(
    { since: 0, until: 4 },
    "name:s redundancy:(bq) devices:as key_desc:(bs) clevis_info:(b(ss))",
    "result:(b(oao))",
    NOT_CREATED,
    async (call, name, _redundancy, devices, key, clevis) =>
      createPool(call, name, devices, singleEncryption(key, clevis), {}),
  ),
  variant(
    { since: 5, until: 7 },
    "name:s devices:as key_desc:(bs) clevis_info:(b(ss))",
    "result:(b(oao))",
    NOT_CREATED,
    async (call, name, devices, key, clevis) =>
      createPool(call, name, devices, singleEncryption(key, clevis), {}),
  ),
  variant(
    { since: 8 },
    "name:s devices:as key_desc:a((bu)s) clevis_info:a((bu)ss) journal_size:(bt) tag_spec:(bs) allocate_superblock:(bb)",
    "result:(b(oao))",
    NOT_CREATED,
    async (call, name, devices, keys, clevis, journal, tag, superblock) =>
      createPool(
        call,
        name,
        devices,
        slottedEncryption(keys, clevis),
        integrityRequest(journal, tag, superblock),
      ),
  ),
);

const startPoolRow = method(
  "StartPool",
  variant(
    { since: 2, until: 3 },
    "pool_uuid:s unlock_method:(bs)",
    "result:(b(oaoao))",
    NOT_STARTED,
    async (call, id, unlock) =>
      startPool(call, {
        pool: poolIdentifier(id, "uuid"),
        unlock: optionalUnlockWord(unlock),
        passphrase: null,
        removeCache: false,
      }),
  ),
  variant(
    { since: 4, until: 7 },
    "id:s id_type:s unlock_method:(bs)",
    "result:(b(oaoao))",
    NOT_STARTED,
    async (call, id, idType, unlock) =>
      startPool(call, {
        pool: poolIdentifier(id, idType),
        unlock: optionalUnlockWord(unlock),
        passphrase: null,
        removeCache: false,
      }),
  ),
  variant(
    { since: 8, until: 8 },
    "id:s id_type:s unlock_method:(b(bu)) key_fd:(bh)",
    "result:(b(oaoao))",
    NOT_STARTED,
    async (call, id, idType, unlock, fd) =>
      startPool(call, {
        pool: poolIdentifier(id, idType),
        unlock: unlockSlot(unlock),
        passphrase: await passphrase(call, fd),
        removeCache: false,
      }),
  ),
  variant(
    { since: 9 },
    "id:s id_type:s unlock_method:(b(bu)) key_fd:(bh) remove_cache:b",
    "result:(b(oaoao))",
    NOT_STARTED,
    async (call, id, idType, unlock, fd, removeCache) =>
      startPool(call, {
        pool: poolIdentifier(id, idType),
        unlock: unlockSlot(unlock),
        passphrase: await passphrase(call, fd),
        removeCache,
      }),
  ),
);

export const managerTable: InterfaceTable<"Manager"> = {
  kind: "Manager",
  methods: [
    question("ListKeys", variant({ since: 0 }, "", "result:as", [], listKeys)),
    method("SetKey", variant({ since: 0 }, "key_desc:s key_fd:h", "result:(bb)", [false, false], setKey)),
    method("UnsetKey", variant({ since: 0 }, "key_desc:s", "result:b", false, unsetKey)),
    createPoolRow,
    method("DestroyPool", variant({ since: 0 }, "pool:o", "result:(bs)", [false, ""], destroyPool)),
    method(
      "UnlockPool",
      variant({ since: 0, until: 1 }, "pool_uuid:s unlock_method:s", "result:(bas)", [false, []], unlockPool),
    ),
    startPoolRow,
    method(
      "StopPool",
      variant({ since: 2, until: 5 }, "pool:o", "result:(bs)", [false, ""], stopPoolAtPath),
      variant({ since: 6 }, "id:s id_type:s", "result:(bs)", [false, ""], async (call, id, idType) =>
        stopPoolById(call, poolIdentifier(id, idType)),
      ),
    ),
    method("RefreshState", variant({ since: 2 }, "", "", undefined, refreshState)),
    question("EngineStateReport", variant({ since: 0 }, "", "result:s", "", engineStateReport)),
  ],
  properties: [
    property("Version", "s", [{ since: 0, emits: "const" }], { get: () => VERSION }),
    property("LockedPools", "a{sa{sv}}", [{ since: 0, until: 1, emits: "true" }], {
      get: (_target, { engine }) => lockedPools(engine.stoppedPools()),
    }),
    property("StoppedPools", "a{sa{sv}}", [{ since: 2, until: 7, emits: "true" }], {
      get: (_target, { engine }) => stoppedPools(engine.stoppedPools(), false),
    }),
    // From r8 on with metadata version and features.
    property("StoppedPools", "a{sa{sv}}", [{ since: 8, emits: "true" }], {
      get: (_target, { engine }) => stoppedPools(engine.stoppedPools(), true),
    }),
  ],
};
