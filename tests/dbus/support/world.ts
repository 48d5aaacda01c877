/** A bus, an engine in memory, the service on it, and a client: what most tests start from. */
import type { Logger } from "../../../src/log";
import type { Signal, SignalSink } from "../../../src/dbus/context";
import { DbusService } from "../../../src/dbus/service";
import { startBus, type PrivateBus } from "./bus";
import { Client, plain, type Received } from "./client";
import { MemoryEngine } from "./engine";

export interface LogLine {
  level: string;
  message: string;
}

export function collectingLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (message: string) => {
    lines.push({ level, message });
  };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug"), trace: at("trace") };
}

/** Signals as they are sent, one by one. */
export const collectingSink = (signals: Signal[]): SignalSink => ({
  signal: (signal) => {
    signals.push(signal);
  },
  signalForEach: (texts, signalOf) => {
    signals.push(...texts.map(signalOf));
  },
});

export interface World {
  readonly bus: PrivateBus;
  readonly engine: MemoryEngine;
  readonly service: DbusService;
  readonly client: Client;
  readonly log: LogLine[];
  end(): Promise<void>;
}

/** `prepare` runs before the service is there. */
export async function startWorld(prepare: (engine: MemoryEngine) => void = () => undefined): Promise<World> {
  const bus = await startBus();
  const engine = new MemoryEngine();
  prepare(engine);
  const log: LogLine[] = [];
  const service = await DbusService.connect({ address: bus.address, engine, log: collectingLogger(log) });
  await service.publish();
  const client = await Client.connect(bus.address);
  client.take();
  const end = async () => {
    await client.close();
    await service.close();
    await bus.stop();
  };
  return { bus, engine, service, client, log, end };
}

const shortName = (name: string): string => name.replace("org.storage.stratis3.", "");

/** A received message in one line, so that sequences can be compared and read. */
export function summary(message: Received): string {
  const body = plain(message.body) as unknown[];
  switch (message.member ?? "") {
    case "InterfacesAdded":
      return `added ${String(body[0])} ${Object.keys(body[1] as object)
        .map(shortName)
        .join(" ")}`;
    case "InterfacesRemoved":
      return `removed ${String(body[0])} ${(body[1] as string[]).map(shortName).join(" ")}`;
    case "PropertiesChanged": {
      const [name, changed, invalidated] = body as [string, object, string[]];
      const what = [...Object.keys(changed), ...invalidated.map((property) => `!${property}`)];
      return `changed ${message.path ?? ""} ${shortName(name)} ${what.join(" ")}`;
    }
    default:
      return message.errorName === undefined ? "reply" : `error ${message.errorName}`;
  }
}

/** "pool.r0 pool.r1 ... pool.r9" */
export const allRevisions = (kind: string): string =>
  Array.from({ length: 10 }, (_, revision) => `${kind}.r${revision}`).join(" ");

/** "changed PATH KIND.rN WHAT" for each revision from first to last. */
export const changedOn = (path: string, kind: string, first: number, last: number, what: string): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `changed ${path} ${kind}.r${first + index} ${what}`);
