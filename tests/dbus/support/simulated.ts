/** The simulator behind the service on a bus, and what a client needs to call it. */
import { setTimeout as sleep } from "node:timers/promises";
import { BUS_NAME, type Kind } from "../../../src/dbus/names";
import { DbusService } from "../../../src/dbus/service";
import type { Conditions } from "../../../src/engine/sim/conditions";
import { SimEngine } from "../../../src/engine/sim/engine";
import type { WriteRecord } from "../../../src/history/recorder";
import type { PrivateBus } from "./bus";
import { Client } from "./client";
import { collectingLogger, type LogLine } from "./world";

export const nameOf = (kind: Kind, revision: number): string => `${BUS_NAME}.${kind}.r${revision}`;

export interface Simulated {
  readonly engine: SimEngine;
  readonly client: Client;
  readonly log: LogLine[];
  /** What the daemon's timer does. */
  check(): Promise<void>;
  end(): Promise<void>;
}

/** Keys that exist; descriptors cannot be sent by the tests' client. */
export const KEYS = ["k0", "k1", "k2"];

export async function startSimulated(
  bus: PrivateBus,
  conditions?: Conditions,
  history: WriteRecord = () => undefined,
): Promise<Simulated> {
  const engine = new SimEngine(conditions);
  const log: LogLine[] = [];
  const service = await DbusService.connect({
    address: bus.address,
    engine,
    log: collectingLogger(log),
    history,
  });
  await service.publish();
  const client = await Client.connect(bus.address);
  client.take();
  const end = async (): Promise<void> => {
    await client.close();
    await service.close();
    // The bus gives the name away when it has noticed; the next service asks for it with DO_NOT_QUEUE.
    await nameIsFree(bus);
  };
  const check = async (): Promise<void> => {
    service.emitChanges(await engine.periodicCheck());
  };
  return { engine, client, log, check, end };
}

const FREE_TIMEOUT_MS = 20_000;

async function nameIsFree(bus: PrivateBus): Promise<void> {
  const client = await Client.connect(bus.address);
  const deadline = performance.now() + FREE_TIMEOUT_MS;
  try {
    for (;;) {
      const [owned] = await client.callBus("NameHasOwner", "s", [BUS_NAME]);
      if (owned === false) return;
      if (performance.now() > deadline) throw new Error(`${BUS_NAME} is still owned`);
      await sleep(5);
    }
  } finally {
    await client.close();
  }
}
