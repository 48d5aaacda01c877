/** Pools of the simulator, for tests. */
import assert from "node:assert/strict";
import type {
  CreateFilesystemRequest,
  CreatePoolRequest,
  EncryptionRequest,
  Filesystem,
  Pool,
  StartPoolRequest,
} from "../../../../src/engine/engine";
import type { SimEngine } from "../../../../src/engine/sim/engine";

export const PLAIN: EncryptionRequest = { keys: [], clevis: [] };
export const TANG: EncryptionRequest = {
  keys: [],
  clevis: [{ slot: null, pin: "tang", config: '{"url":"x"}' }],
};

export const poolRequest = (name: string, changes: Partial<CreatePoolRequest> = {}): CreatePoolRequest => ({
  name,
  devices: ["/dev/a", "/dev/b"],
  encryption: PLAIN,
  integrity: {},
  ...changes,
});

export async function makePool(
  engine: SimEngine,
  name = "p1",
  changes: Partial<CreatePoolRequest> = {},
): Promise<Pool> {
  const result = await engine.createPool(poolRequest(name, changes));
  assert.equal(result.action, "created");
  return result.value;
}

export const filesystemRequest = (
  name: string,
  size: bigint | null = null,
  sizeLimit: bigint | null = null,
): CreateFilesystemRequest => ({ name, size, sizeLimit });

export async function makeFilesystem(
  pool: Pool,
  name: string,
  size: bigint | null = null,
): Promise<Filesystem> {
  const { created } = await pool.createFilesystems([filesystemRequest(name, size)]);
  const [filesystem] = created;
  assert.ok(filesystem);
  return filesystem;
}

export async function makeSnapshot(pool: Pool, origin: Filesystem, name: string): Promise<Filesystem> {
  const result = await pool.snapshotFilesystem(origin.uuid, name);
  assert.equal(result.action, "created");
  return result.value;
}

export const startRequest = (name: string, changes: Partial<StartPoolRequest> = {}): StartPoolRequest => ({
  pool: { by: "name", name },
  unlock: null,
  passphrase: null,
  removeCache: false,
  ...changes,
});
