/** A process that sends a bus as much as it takes: calls of all kinds, descriptors, rules for matching. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { NO_REPLY_EXPECTED } from "../../../src/bus/codec";
import {
  BASE_PATH,
  BUS_NAME,
  INTROSPECTABLE,
  OBJECT_MANAGER,
  PEER,
  PROPERTIES,
} from "../../../src/dbus/names";
import { native } from "../../../src/native";
import { RawClient, type RawCall } from "./raw-client";

const TIMEOUT_MS = 30_000;
const BUS = "org.freedesktop.DBus";
const MANAGER_R9 = `${BUS_NAME}.Manager.r9`;

/** Batches, each of every kind of message once, between two looks at the clock. */
const BATCHES = 20;
const SERIAL_AT = 8;

type Call = [member: string, call: RawCall];

const get = (member: string, ...body: string[]): Call => [
  member,
  { interface: PROPERTIES, signature: "s".repeat(body.length), body },
];
const CALLS: readonly Call[] = [
  ["Ping", { interface: PEER }],
  ["GetManagedObjects", { interface: OBJECT_MANAGER }],
  ["Introspect", { interface: INTROSPECTABLE }],
  get("Get", MANAGER_R9, "Version"),
  get("GetAll", MANAGER_R9),
  get("Get", MANAGER_R9, "NoSuchProperty"),
  ["NoSuchMethod", { interface: MANAGER_R9, signature: "as", body: [Array<string>(100).fill("text")] }],
  ["Introspect", { interface: INTROSPECTABLE, path: "/no/such/object" }],
  ["EngineStateReport", { interface: MANAGER_R9 }],
  ["ListKeys", { interface: MANAGER_R9 }],
];

/** Calls with this many arguments: one that is allowed to be so long, and one that is not. */
const LONG: readonly Call[] = [100_000, 400_000].map((count) => [
  "GetAll",
  { interface: PROPERTIES, signature: "sas", body: [MANAGER_R9, Array<string>(count).fill("")] },
]);

export interface Flood {
  /** Ends it; resolves to how many messages the bus took. */
  stop(): Promise<number>;
}

/** Resolves when the flood has begun. */
export async function startFlood(address: string): Promise<Flood> {
  const child = fork(__filename, [address]);
  const said = (): Promise<unknown[]> =>
    once(child, "message", { signal: AbortSignal.timeout(TIMEOUT_MS) }) as Promise<unknown[]>;
  await said();
  return {
    stop: async () => {
      const exited = once(child, "exit");
      const answer = said();
      child.send("stop");
      const [sent] = await answer;
      child.kill("SIGKILL");
      await exited;
      return Number(sent);
    },
  };
}

interface Encoded {
  readonly data: Buffer;
  readonly descriptors: readonly number[];
}

class Flooder {
  #sent = 0;
  #serial = 1000;
  /** Of messages without descriptors, in a row. */
  readonly #batch: readonly Buffer[];
  readonly #long: readonly Buffer[];
  readonly #withDescriptors: readonly Encoded[];

  constructor(private readonly client: RawClient) {
    const encoded = ([member, call]: Call): Encoded =>
      client.encodeCall(member, { path: BASE_PATH, ...call });
    const calls = CALLS.flatMap(([member, call]): Call[] => [
      [member, call],
      [member, { ...call, flags: NO_REPLY_EXPECTED }],
    ]);
    this.#batch = [...calls, ...rules()].map((call) => encoded(call).data);
    this.#long = LONG.map((call) => encoded(call).data);
    this.#withDescriptors = callsWithDescriptors().map(encoded);
  }

  /** Until `isOver`; returns how many messages the bus took. */
  async run(isOver: () => boolean): Promise<number> {
    this.client.ignoreEverything();
    for (let round = 0; !isOver(); round++) {
      for (let batch = 0; batch < BATCHES; batch++) {
        for (const { data, descriptors } of this.#withDescriptors) this.#send(data, descriptors);
        for (const data of this.#batch) this.#send(data);
      }
      const long = this.#long[round % (10 * this.#long.length)];
      if (long !== undefined) this.#send(long);
      await this.client.drained();
      // For the message that ends it.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#sent;
  }

  /** The bus refuses a serial that waits for its reply. */
  #send(data: Buffer, descriptors: readonly number[] = []): void {
    const copy = Buffer.from(data);
    copy.writeUInt32LE(this.#serial++, SERIAL_AT);
    this.client.write(copy, descriptors);
    this.#sent++;
  }
}

/** Rules that many signals have to be compared with; above a number of them the bus refuses more. */
const rules = (): Call[] =>
  Array.from({ length: 5 }, (_, index) => [
    "AddMatch",
    {
      ...{ destination: BUS, path: "/org/freedesktop/DBus", interface: BUS, signature: "s" },
      body: [`type='signal',sender='${BUS_NAME}',arg0='${index}'`],
    },
  ]);

/** To methods that take none, and one that waits for what they deliver: the end of a pipe that nobody writes into. */
function callsWithDescriptors(): Call[] {
  const silent = native().pipeWith(Buffer.alloc(0)).readEnd;
  const four = Array<number>(4).fill(silent);
  return [
    ["Ping", { interface: PEER, signature: "ah", body: [four] }],
    ["GetManagedObjects", { interface: OBJECT_MANAGER, signature: "ah", body: [four] }],
    ["SetKey", { interface: MANAGER_R9, signature: "shah", body: ["k", silent, four] }],
  ];
}

async function flood(address: string): Promise<void> {
  let isOver = false;
  process.once("message", () => (isOver = true));
  const flooder = new Flooder(await RawClient.connect(address));
  process.send?.("begun");
  process.send?.(await flooder.run(() => isOver));
}

if (require.main === module) void flood(process.argv[2] ?? "");
