/**
 * Times and memory of the D-Bus service with the simulator behind it, on a bus of its own, seen by a client in another
 * process. Prints a table.
 */
import { Variant } from "dbus-next/lib/variant";
import { decodeBody, MESSAGE_TYPE } from "../src/bus/codec";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER } from "../src/dbus/names";
import { startBus } from "../tests/dbus/support/bus";
import { RawClient } from "../tests/dbus/support/raw-client";
import { processorMilliseconds, SimDaemon } from "./dbus-daemon";
import { median } from "./median";

const STARTS = 7;
const RUNS = 15;
const MANY = 1000;
const SIZES = [MANY, 2000, 4000, 8000];
const POOL_R9 = `${BUS_NAME}.pool.r9`;
const FILESYSTEM_R9 = `${BUS_NAME}.filesystem.r9`;

interface Row {
  readonly what: string;
  /** Median of several. */
  readonly value: number;
  /** The smallest of several; null where there is one value. */
  readonly best: number | null;
  readonly unit: "ms" | "MB";
  /** null: the figure is for orientation. */
  readonly target: number | null;
}

class Service {
  #pool = "";
  readonly #filesystems: string[] = [];

  constructor(private readonly client: RawClient) {}

  async createPool(limit: number): Promise<void> {
    const result = await this.client.callForBody("CreatePool", {
      interface: `${BUS_NAME}.Manager.r9`,
      signature: "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
      body: ["bench", ["/dev/a"], [], [], [false, 0n], [false, ""], [false, false]],
    });
    this.#pool = (result as [[boolean, [string, string[]]]])[0][1][0];
    await this.client.callForBody("Set", {
      path: this.#pool,
      interface: "org.freedesktop.DBus.Properties",
      signature: "ssv",
      body: [POOL_R9, "FsLimit", new Variant<unknown>("t", BigInt(limit))],
    });
  }

  async createFilesystemsUpTo(count: number): Promise<void> {
    while (this.#filesystems.length < count) {
      const result = await this.client.callForBody("CreateFilesystems", {
        path: this.#pool,
        interface: POOL_R9,
        signature: "a(s(bs)(bs))",
        body: [[[`filesystem-${this.#filesystems.length}`, [false, ""], [false, ""]]]],
      });
      const made = (result as [[boolean, [string, string][]]])[0][1][0];
      if (made === undefined) throw new Error("CreateFilesystems made none");
      this.#filesystems.push(made[0]);
    }
  }

  /** Milliseconds from the call to the last byte of the reply, and its bytes. */
  async managedObjects(): Promise<{ milliseconds: number; bytes: number }> {
    const started = performance.now();
    const { at, bytes, head } = await this.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
    if (head.type !== MESSAGE_TYPE.methodReturn)
      throw new Error(`GetManagedObjects failed: ${String(decodeBody(bytes, head)[0])}`);
    return { milliseconds: at - started, bytes: bytes.length };
  }

  /** Milliseconds from the call to the last of its signals and its reply. */
  async rename(path: string, interfaceName: string, name: string, signals: number): Promise<number> {
    let left = signals;
    let last = 0;
    const all = new Promise<void>((resolve) => {
      this.client.onMessage = ({ head, at }) => {
        if (head.member !== "PropertiesChanged") return;
        last = at;
        if (--left === 0) resolve();
      };
    });
    const started = performance.now();
    const reply = await this.client.call("SetName", {
      path,
      interface: interfaceName,
      signature: "s",
      body: [name],
    });
    const [, code, text] = decodeBody(reply.bytes, reply.head);
    if (code !== 0) throw new Error(`SetName failed: ${String(text)}`);
    await all;
    return Math.max(last, reply.at) - started;
  }

  renameFilesystem(run: number): Promise<number> {
    const path = this.#filesystems[run] ?? BASE_PATH;
    // Name and Devnode, on ten revisions.
    return this.rename(path, FILESYSTEM_R9, `renamed-${run}-${performance.now()}`, 20);
  }

  renamePool(run: number): Promise<number> {
    return this.rename(this.#pool, POOL_R9, `bench-${run}`, 10 + 10 * this.#filesystems.length);
  }
}

const say = (text: string): void => {
  process.stderr.write(`bench: ${text}\n`);
};

async function repeated(runs: number, work: (run: number) => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let run = 0; run < runs; run++) values.push(await work(run));
  return values;
}

const row = (what: string, values: readonly number[], target: number | null): Row => ({
  ...{ what, value: median(values), best: Math.min(...values), unit: "ms", target },
});

/** The processes that a request goes through. */
interface Processes {
  readonly daemon: number;
  readonly bus: number;
}

/** A row for the time that passes, and one for each process's share of the processor, which other load leaves alone. */
async function measured(
  { daemon, bus }: Processes,
  what: string,
  target: number | null,
  work: (run: number) => Promise<number>,
): Promise<Row[]> {
  const before = [processorMilliseconds(daemon), processorMilliseconds(bus)] as const;
  const values = await repeated(RUNS, work);
  const share = (name: string, milliseconds: number): Row => ({
    ...{ what: `  processor time of the ${name}`, value: milliseconds / RUNS },
    ...{ best: null, unit: "ms", target: null },
  });
  return [
    row(what, values, target),
    share("daemon", processorMilliseconds(daemon) - before[0]),
    share("bus", processorMilliseconds(bus) - before[1]),
  ];
}

async function measureStarts(address: string, client: RawClient): Promise<Row> {
  const values = await repeated(STARTS, async () => {
    const daemon = await SimDaemon.start(address, client);
    await daemon.stop();
    return daemon.startMilliseconds;
  });
  return row("start of the program → first answer", values, 300);
}

async function measureObjects(
  service: Service,
  processes: Processes,
  residentMB: () => Promise<number>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let base = 0;
  for (const size of SIZES) {
    say(`${size} filesystems`);
    await service.createFilesystemsUpTo(size);
    const { bytes } = await service.managedObjects();
    const what = `GetManagedObjects, ${size} filesystems, ${(bytes / 1e6).toFixed(1)} MB`;
    const target = size === MANY ? 30 : (base * size) / MANY;
    const found = await measured(
      processes,
      what,
      target,
      async () => (await service.managedObjects()).milliseconds,
    );
    rows.push(...found);
    if (size !== MANY) continue;
    base = found[0]?.value ?? 0;
    rows.push(...(await measureChanges(service, processes)));
    const value = await residentMB();
    rows.push({ what: `resident memory, ${MANY} filesystems`, value, best: null, unit: "MB", target: 90 });
  }
  return rows;
}

async function measureChanges(service: Service, processes: Processes): Promise<Row[]> {
  const filesystem = `filesystem SetName → 20 signals there, ${MANY} filesystems`;
  const pool = `pool SetName → ${10 + 10 * MANY} signals there`;
  return [
    ...(await measured(processes, filesystem, 5, (run) => service.renameFilesystem(run))),
    ...(await measured(processes, pool, null, (run) => service.renamePool(run))),
  ];
}

function print(rows: readonly Row[]): void {
  const figure = (value: number | null, unit: string): string =>
    (value === null ? "–" : `${value.toFixed(1)} ${unit}`).padStart(12);
  const head = ["median", "best", "target"].map((name) => name.padStart(12)).join("");
  process.stdout.write(`\n${"D-Bus service with the simulator".padEnd(58)}${head}${"ratio".padStart(8)}\n`);
  for (const { what, value, best, unit, target } of rows) {
    const ratio = target === null ? "–" : (value / target).toFixed(2);
    process.stdout.write(
      `${what.padEnd(58)}${figure(value, unit)}${figure(best, unit)}${figure(target, unit)}${ratio.padStart(8)}\n`,
    );
  }
  process.stdout.write("\nThe target for more filesystems is the time of 1000, in proportion.\n");
}

async function main(): Promise<void> {
  const bus = await startBus();
  try {
    const client = await RawClient.connect(bus.address);
    say("starts of the daemon");
    const rows = [await measureStarts(bus.address, client)];
    const daemon = await SimDaemon.start(bus.address, client);
    try {
      const value = await daemon.residentMB();
      rows.push({ what: "resident memory, idle", value, best: null, unit: "MB", target: 60 });
      const [busPid] = await client.callBus("GetConnectionUnixProcessID", "s", ["org.freedesktop.DBus"]);
      await client.callBus("AddMatch", "s", [`type='signal',sender='${BUS_NAME}'`]);
      const service = new Service(client);
      await service.createPool(Math.max(...SIZES));
      rows.push(
        ...(await measureObjects(service, { daemon: daemon.pid, bus: Number(busPid) }, () =>
          daemon.residentMB(),
        )),
      );
    } finally {
      await daemon.stop();
    }
    client.close();
    print(rows);
  } finally {
    await bus.stop();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
