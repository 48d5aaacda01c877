/** Every request, once: its form, whether a key comes with it, and what it does (system.md §18.3). */
import type { MessageDescriptors } from "../dbus/descriptors";
import { keyDescription } from "../dbus/operations/arguments";
import type { Engine, EncryptionRequest } from "../engine/engine";
import { EngineError } from "../engine/errors";
import { validateEncryption } from "../engine/validation";
import type { Secret } from "../native";
import { simpleUuid } from "../uuid";
import {
  hasPassphrase,
  isBound,
  isEncrypted,
  isStopped,
  requireNamed,
  requireRunning,
} from "./pool-questions";
import * as shapes from "./shapes";

export interface Call {
  readonly engine: Engine;
  /** null: no descriptor came. */
  readonly key: MessageDescriptors | null;
}

export interface Method {
  readonly takesKey: "never" | "maybe" | "always";
  /** The payload of the answer when the work fails, but for return code and text; absent: it can't fail. */
  readonly failure?: unknown;
  /** Throws ShapeError, or UuidError, for arguments of another form; then does the work. */
  prepare(value: unknown, call: Call): () => Promise<unknown>;
}

function method<T>(
  shape: shapes.Shape<T>,
  failure: unknown,
  work: (args: T, call: Call) => unknown,
  takesKey: Method["takesKey"] = "never",
): Method {
  return {
    takesKey,
    ...(failure === undefined ? {} : { failure }),
    prepare: (value, call) => {
      const args = shape(value, "The argument");
      return async () => await work(args, call);
    },
  };
}

const { list, nothing, poolId, slot, slotInput, text, tuple } = shapes;
const nameAndPaths = tuple(text, list(text));

/** The key of a call for the time of `work`; null: none came. The first descriptor is the only one. */
async function withKey<T>(
  key: MessageDescriptors | null,
  work: (secret: Secret | null) => Promise<T>,
): Promise<T> {
  const secret = key === null ? null : await key.readKey(0);
  try {
    return await work(secret);
  } finally {
    secret?.wipe();
  }
}

function requireKey(key: Secret | null): Secret {
  if (key === null) throw new EngineError("Method expected a file descriptor and did not receive one");
  return key;
}

/** See validateEncryption; key descriptions that can't be listed are refused too. */
function checkedEncryption(request: EncryptionRequest): EncryptionRequest {
  for (const { description } of request.keys) keyDescription(description);
  return validateEncryption(request);
}

const KEY_SET = { created: false, valueChanged: true, identity: null } as const;

const keyMethods: Record<string, Method> = {
  KeySet: method(
    text,
    null,
    async (description, { engine, key }) =>
      KEY_SET[await withKey(key, (secret) => engine.setKey(keyDescription(description), requireKey(secret)))],
    "always",
  ),
  KeyUnset: method(
    text,
    false,
    async (description, { engine }) => (await engine.unsetKey(description)) === "deleted",
  ),
  KeyList: method(nothing, [], (_, { engine }) => engine.listKeys()),
};

const LEFT_OVER = "Pool was stopped, but some component devices were not torn down";

const poolMethods: Record<string, Method> = {
  PoolCreate: method(
    tuple(text, list(text), shapes.encryption),
    false,
    async ([name, devices, encryption], { engine }) => {
      const request = { name, devices, encryption: checkedEncryption(encryption), integrity: {} };
      return (await engine.createPool(request)).action === "created";
    },
  ),
  PoolRename: method(tuple(text, text), false, async ([before, name], { engine }) => {
    const { uuid } = requireNamed(engine, before);
    return (await engine.renamePool(uuid, name)).action === "renamed";
  }),
  PoolAddData: method(nameAndPaths, false, async ([name, paths], { engine }) => {
    const { created } = await requireNamed(engine, name).addDataDevs(paths);
    return created.length > 0;
  }),
  PoolInitCache: method(nameAndPaths, false, async ([name, paths], { engine }) => {
    const { created } = await requireNamed(engine, name).initCache(paths, true);
    return created.length > 0;
  }),
  PoolAddCache: method(nameAndPaths, false, async ([name, paths], { engine }) => {
    const { created } = await requireNamed(engine, name).addCacheDevs(paths);
    return created.length > 0;
  }),
  PoolDestroy: method(
    text,
    false,
    async (name, { engine }) =>
      (await engine.destroyPool(requireNamed(engine, name).uuid)).action === "deleted",
  ),
  PoolStart: method(
    tuple(poolId, shapes.unlock),
    false,
    async ([pool, unlock], { engine, key }) => {
      const result = await withKey(key, (passphrase) =>
        engine.startPool({ pool, unlock, passphrase, removeCache: false }),
      );
      return result.action === "started";
    },
    "maybe",
  ),
  PoolStop: method(poolId, false, async (id, { engine }) => {
    const { action } = await engine.stopPool(id);
    if (action === "partial") throw new EngineError(LEFT_OVER);
    return action !== "identity";
  }),
  PoolList: method(nothing, undefined, (_, { engine }) => {
    const pools = engine.pools();
    return [
      pools.map(({ name }) => name),
      pools.map(({ totalPhysicalSize, totalPhysicalUsed }) => [totalPhysicalSize, totalPhysicalUsed]),
      pools.map(({ hasCache, encrypted }) => [hasCache, encrypted]),
      pools.map(({ uuid }) => uuid),
    ];
  }),
};

const bindingMethods: Record<string, Method> = {
  PoolBindKeyring: method(
    tuple(poolId, slotInput, text),
    false,
    async ([id, wanted, description], { engine }) =>
      (await requireRunning(engine, id).bindKeyring(keyDescription(description), wanted)).action ===
      "created",
  ),
  PoolBindClevis: method(
    tuple(poolId, slotInput, text, shapes.json),
    false,
    async ([id, wanted, pin, config], { engine }) =>
      (await requireRunning(engine, id).bindClevis(pin, config, wanted)).action === "created",
  ),
  PoolUnbindKeyring: method(
    tuple(poolId, slot),
    false,
    async ([id, wanted], { engine }) =>
      (await requireRunning(engine, id).unbindKeyring(wanted)).action === "deleted",
  ),
  PoolUnbindClevis: method(
    tuple(poolId, slot),
    false,
    async ([id, wanted], { engine }) =>
      (await requireRunning(engine, id).unbindClevis(wanted)).action === "deleted",
  ),
  PoolRebindKeyring: method(
    tuple(poolId, slot, text),
    false,
    async ([id, wanted, description], { engine }) =>
      (await requireRunning(engine, id).rebindKeyring(keyDescription(description), wanted)).action ===
      "renamed",
  ),
  PoolRebindClevis: method(tuple(poolId, slot), false, async ([id, wanted], { engine }) => {
    await requireRunning(engine, id).rebindClevis(wanted);
    return true;
  }),
};

const questions: Record<string, Method> = Object.fromEntries(
  Object.entries({
    PoolIsEncrypted: isEncrypted,
    PoolIsStopped: isStopped,
    PoolHasPassphrase: hasPassphrase,
    PoolIsBound: isBound,
  }).map(([name, ask]) => [name, method(poolId, false, (id, { engine }) => ask(engine, id))]),
);

/** The pool's filesystem of a name. */
function requireFilesystem(engine: Engine, poolName: string, name: string) {
  const pool = requireNamed(engine, poolName);
  const filesystem = pool.filesystems().find((candidate) => candidate.name === name);
  if (filesystem === undefined) throw new EngineError(`No filesystem named ${name} found`);
  return { pool, filesystem };
}

/** RFC 3339, whole seconds. */
const timeText = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, "Z");

const filesystemMethods: Record<string, Method> = {
  FsCreate: method(tuple(text, text), false, async ([pool, name], { engine }) => {
    const request = { name, size: null, sizeLimit: null };
    return (await requireNamed(engine, pool).createFilesystems([request])).created.length > 0;
  }),
  FsDestroy: method(tuple(text, text), false, async ([poolName, name], { engine }) => {
    const { pool, filesystem } = requireFilesystem(engine, poolName, name);
    return (await pool.destroyFilesystems([filesystem.uuid])).deleted.length > 0;
  }),
  FsRename: method(tuple(text, text, text), false, async ([poolName, before, name], { engine }) => {
    const { pool, filesystem } = requireFilesystem(engine, poolName, before);
    return (await pool.renameFilesystem(filesystem.uuid, name)).action === "renamed";
  }),
  FsOrigin: method(tuple(text, text), null, ([poolName, name], { engine }) => {
    const { origin } = requireFilesystem(engine, poolName, name).filesystem;
    return origin === null ? null : simpleUuid(origin);
  }),
  FsList: method(nothing, undefined, (_, { engine }) => {
    const all = engine.pools().flatMap((pool) => pool.filesystems().map((of) => ({ pool, of })));
    return [
      all.map(({ pool }) => pool.name),
      all.map(({ of }) => of.name),
      all.map(({ of }) => of.used),
      all.map(({ of }) => timeText(of.created)),
      all.map(({ of }) => of.mountPath),
      all.map(({ of }) => of.uuid),
    ];
  }),
};

export const METHODS: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    ...keyMethods,
    ...poolMethods,
    ...bindingMethods,
    ...questions,
    ...filesystemMethods,
    Report: method(nothing, undefined, (_, { engine }) => engine.engineStateReport()),
  }),
);
