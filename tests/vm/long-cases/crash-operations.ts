/** What the daemon is killed in the middle of: every operation that has several steps. */
import { type Reply, succeeded } from "../cases/support";
import {
  type CrashPool,
  createFilesystem,
  destroyFilesystems,
  destroyPool,
  FILESYSTEM,
  has,
  onPool,
  renameFilesystem,
  snapshot,
  stopPool,
} from "./crash-pool";

export interface Operation {
  /** Brings the state about from which the operation starts; called after each crash too. */
  prepare: () => Promise<void>;
  perform: () => Promise<Reply>;
  /** Dying in it may leave a pool that nobody unlocks at the start, with devices that a stop clears away. */
  leavesLockedPool?: boolean;
}

const onFilesystems = (pool: CrashPool): Record<string, Operation> => ({
  "creation of a filesystem": {
    prepare: () => pool.withoutFilesystems("new"),
    perform: () => createFilesystem("new"),
  },
  "snapshot of a filesystem": {
    prepare: () => pool.withoutFilesystems("snap"),
    perform: () => snapshot("kept", "snap"),
  },
  "renaming a filesystem": {
    prepare: async () => {
      await pool.withoutFilesystems("after");
      if (!(await has(FILESYSTEM, "before"))) await succeeded(createFilesystem("before"));
    },
    perform: () => renameFilesystem("before", "after"),
  },
  "destruction of a filesystem": {
    prepare: async () => {
      await pool.ensurePool();
      if (!(await has(FILESYSTEM, "doomed"))) await succeeded(createFilesystem("doomed"));
    },
    perform: () => destroyFilesystems("doomed"),
  },
  "destruction of two filesystems at once, with a snapshot left": {
    prepare: () => pool.withChain(),
    perform: () => destroyFilesystems("first", "second"),
  },
  "a revert, at the start of the pool": {
    prepare: () => pool.stoppedWithMerge(),
    perform: () => pool.startPool(),
  },
});

const onCaches = (pool: CrashPool): Record<string, Operation> => ({
  "putting in a cache": {
    prepare: () => pool.withoutCache(),
    perform: () => onPool("InitCache", "as", [[pool.more]]),
  },
  "adding a device to the cache": {
    prepare: async () => {
      await pool.withCache();
      if (!(await pool.hasDevice(pool.evenMore))) return;
      await pool.withoutCache();
      await pool.withCache();
    },
    perform: () => onPool("AddCacheDevs", "as", [[pool.evenMore]]),
  },
  "a start without the cache": {
    prepare: async () => {
      await pool.withCache();
      await succeeded(stopPool());
    },
    perform: () => pool.startPool(true),
  },
});

/** With metadata of version 1 a second key has no slot. */
function onBindings(pool: CrashPool): Record<string, Operation> {
  const another: Operation = { prepare: () => pool.ensurePool(), perform: () => pool.rebind() };
  if (pool.kind.version === 1) return { "binding to another key": another };
  return {
    "binding to a second key": {
      prepare: () => pool.ensureBoundTwice(false),
      perform: () => pool.bind(),
    },
    "unbinding from a key": {
      prepare: () => pool.ensureBoundTwice(true),
      perform: () => pool.unbind(),
    },
    "binding to another key": {
      ...another,
      prepare: () => pool.ensureBoundTwice(false),
    },
  };
}

const onTheRest = (pool: CrashPool): Record<string, Operation> => ({
  "renaming the pool": {
    prepare: () => pool.ensurePool(),
    perform: () => onPool("SetName", "s", ["other"]),
  },
  "stopping the pool": {
    prepare: () => pool.ensurePool(),
    perform: stopPool,
  },
  "starting the pool": {
    prepare: async () => {
      await pool.ensurePool();
      await succeeded(stopPool());
    },
    perform: () => pool.startPool(),
  },
  "adding a data device to a full pool, whose thin data grows into it": {
    prepare: () => pool.full(),
    perform: () => pool.addToFull(),
  },
  "growing a data device": {
    prepare: async () => {
      await pool.ensurePool();
      await pool.growDevice();
    },
    perform: () => pool.growPhysicalDevice(),
  },
});

/** The last ones, because the very last leaves the pool on another device. */
const onWholePools = (pool: CrashPool): Record<string, Operation> => ({
  // Of version 1 the daemon makes none.
  ...(pool.kind.version === 2 && {
    "creation of a pool": {
      prepare: () => pool.destroyAll(),
      perform: () => pool.create(),
    },
  }),
  "destruction of a pool": {
    prepare: () => pool.withoutAnyFilesystem(),
    perform: destroyPool,
    // Of version 1 each device is unlocked by itself.
    leavesLockedPool: pool.kind.encrypted && pool.kind.version === 2,
  },
  "a higher filesystem limit, for which thin metadata grows": {
    prepare: () => pool.ensureRoomy(),
    perform: () => pool.raiseLimit(),
  },
});

/** By their names, in the order in which each leaves the least to prepare for the next. */
export const operationsOf = (pool: CrashPool): Record<string, Operation> => ({
  ...onFilesystems(pool),
  ...onCaches(pool),
  ...(pool.kind.encrypted && onBindings(pool)),
  ...onTheRest(pool),
  ...onWholePools(pool),
});
