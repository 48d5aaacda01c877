/** What an administrator wants to be told of a pool, and what changed of that between two looks. */
import type { Engine, Pool } from "../../engine/engine";
import type { PoolUuid } from "../../uuid";

export type Facts = Readonly<Record<string, string>>;

export interface Condition {
  readonly alert: "pool-nearly-full" | "pool-full" | "pool-failed" | "device-gone";
  readonly facts: Facts;
}

export interface AlertEvent extends Condition {
  readonly state: "begin" | "end";
}

/** Of the devices' size. */
const NEARLY_FULL_PERCENT = 90n;

const poolFacts = (pool: Pool): Facts => ({
  POOL_NAME: pool.name,
  POOL_UUID: pool.uuid,
  POOL_SIZE_BYTES: String(pool.totalPhysicalSize),
  POOL_USED_BYTES: pool.totalPhysicalUsed === null ? "" : String(pool.totalPhysicalUsed),
  POOL_ALLOCATED_BYTES: String(pool.allocatedSize),
  POOL_AVAILABLE_ACTIONS: pool.availableActions,
});

function isNearlyFull({ totalPhysicalUsed: used, totalPhysicalSize: size }: Pool): boolean {
  return used !== null && used * 100n >= size * NEARLY_FULL_PERCENT;
}

/** By a key that is the same as long as the condition lasts. */
function conditionsOf(pool: Pool): Map<string, Condition> {
  const facts = poolFacts(pool);
  const found = new Map<string, Condition>();
  const add = (alert: Condition["alert"], more: Facts = {}, key = ""): void => {
    found.set(`${alert} ${key}`, { alert, facts: { ...facts, ...more } });
  };
  if (isNearlyFull(pool)) add("pool-nearly-full");
  if (pool.outOfSpace === true) add("pool-full");
  if (pool.availableActions !== "fully_operational") add("pool-failed");
  for (const device of pool.blockDevs())
    if (device.present === false)
      add(
        "device-gone",
        { DEVICE: device.physicalPath, DEVICE_UUID: device.uuid, DEVICE_TIER: device.tier },
        device.uuid,
      );
  return found;
}

export class Conditions {
  #known = new Map<PoolUuid, Map<string, Condition>>();

  /** What began and what ended since the last look. Of a pool that is gone nothing is told. */
  look(engine: Pick<Engine, "pools">): AlertEvent[] {
    const events: AlertEvent[] = [];
    const current = new Map(engine.pools().map((pool) => [pool.uuid, { pool, now: conditionsOf(pool) }]));
    for (const [uuid, { pool, now }] of current) {
      const before = this.#known.get(uuid) ?? new Map<string, Condition>();
      for (const [key, condition] of now) if (!before.has(key)) events.push({ ...condition, state: "begin" });
      for (const [key, { alert, facts }] of before)
        if (!now.has(key)) events.push({ alert, facts: { ...facts, ...poolFacts(pool) }, state: "end" });
    }
    this.#known = new Map([...current].map(([uuid, { now }]) => [uuid, now]));
    return events;
  }
}
