/** The D-Bus service that the daemon runs: `connect`, then `publish`, then it answers until `closed`. */
import type { Engine, EngineChange } from "../engine/engine";
import { errorText } from "../engine/errors";
import { DONE, failure } from "../history/record";
import type { Attempt, WriteRecord } from "../history/recorder";
import type { Logger } from "../log";
import { systemBusAddress } from "./address";
import { Announcer } from "./announcer";
import type { IncomingCall, Reply } from "./call";
import { BusConnection, type Closed } from "./connection";
import type { ServiceContext } from "./context";
import { asDbusError, dispatch, examine } from "./dispatch";
import { DbusError } from "./errors";
import { CallHistory } from "./history/calls";
import type { CallOrigin } from "./incoming";
import { BUS_NAME } from "./names";
import { addPool, applyChange } from "./reconcile";
import { ObjectTree } from "./tree";

export interface ServiceOptions {
  /** A D-Bus server address; default the system bus. */
  address?: string;
  engine: Engine;
  log: Logger;
  /** Where the record of each call that was to change something goes. Default: nowhere. */
  history?: WriteRecord;
}

const DO_NOT_QUEUE = 4;
/** RequestName's answers that leave us the owner: primary owner, already owner. */
const OWNER_ANSWERS: readonly unknown[] = [1, 4];

export class DbusService {
  /** Settles when the connection has ended, with the reason. Unless that is `expected`, the service is of no more use. */
  readonly closed: Promise<Closed>;
  readonly #connection: BusConnection;
  readonly #context: ServiceContext;
  readonly #history: CallHistory | null;
  /** Resolves when every pool has its object. */
  readonly #complete: Promise<void>;
  #setComplete: () => void = () => undefined;

  private constructor(connection: BusConnection, { engine, log, history }: ServiceOptions) {
    this.#connection = connection;
    this.closed = connection.closed;
    const tree = new ObjectTree();
    const announcer = new Announcer(engine, tree, log, connection);
    this.#context = { engine, tree, announcer, log };
    this.#history =
      history === undefined
        ? null
        : new CallHistory(
            { engine, tree },
            (member, signature, body) => connection.callBus(member, signature, body),
            history,
          );
    this.#complete = new Promise((resolve) => {
      this.#setComplete = resolve;
    });
    connection.handleCalls({
      examine,
      answer: async (call, origin) => {
        // Whoever has found the connection without the name is answered in its time.
        await this.#complete;
        await this.#answer(call, origin);
      },
    });
  }

  /**
   * Connects to the bus without owning the name; the engine need not have its pools yet. Rejects with what was tried and
   * why it failed.
   */
  static async connect(options: ServiceOptions): Promise<DbusService> {
    const { address = systemBusAddress(), log } = options;
    return new DbusService(await BusConnection.open(address, log), options);
  }

  /**
   * Makes the objects of all pools and then, last, takes the name: whoever sees the name finds everything there.
   * Rejects when the name is taken or the bus refuses it.
   */
  async publish(): Promise<void> {
    for (const pool of this.#context.engine.pools()) addPool(this.#context.tree, pool);
    this.#setComplete();
    let answer: unknown;
    try {
      [answer] = await this.#connection.callBus("RequestName", "su", [BUS_NAME, DO_NOT_QUEUE]);
    } catch (error) {
      throw new Error(`Could not take the bus name ${BUS_NAME}: ${refusal(error)}`, { cause: error });
    }
    if (!OWNER_ANSWERS.includes(answer))
      throw new Error(`Could not take the bus name ${BUS_NAME}: ${await this.#describeOwner()} owns it`);
    this.#context.log.info("D-Bus API is available");
  }

  /** Turns what changed in the engine, by itself or as a side effect, into objects and signals. */
  emitChanges(changes: readonly EngineChange[]): void {
    for (const change of changes) {
      try {
        applyChange(this.#context, change);
      } catch (error) {
        this.#context.log.error(`Could not announce a change (${change.change}): ${errorText(error)}`);
      }
    }
  }

  /** Ends the connection, which gives up the name. Calls that are still running are carried out but not answered. */
  async close(): Promise<void> {
    await this.#connection.close();
    await this.#history?.settled();
  }

  /** Never rejects: every call gets one reply, unless it wants none. */
  async #answer(call: IncomingCall, origin: CallOrigin): Promise<void> {
    let attempt: Attempt | null = null;
    let reply: Reply;
    try {
      attempt = this.#history?.begin(call, origin.sender) ?? null;
      reply = await dispatch(this.#context, call);
    } catch (error) {
      const text = this.#refuse(call, origin, error);
      attempt?.end(failure(text));
      return;
    }
    try {
      this.#connection.reply(origin, reply);
    } catch (error) {
      // What was done is done, even if it can't be told.
      this.#refuse(call, origin, error);
    }
    attempt?.end(reply.outcome ?? DONE);
  }

  /** Returns the text of the error reply. */
  #refuse(call: IncomingCall, origin: CallOrigin, error: unknown): string {
    const where = `${call.interface ?? "(no interface)"}.${call.member} on ${call.path}`;
    const answer = asDbusError(this.#context, error, where);
    this.#connection.replyError(origin, answer);
    return answer.message;
  }

  /** Who has the name, for the message of a start that failed; what cannot be found out is left out. */
  async #describeOwner(): Promise<string> {
    try {
      const [owner] = await this.#connection.callBus("GetNameOwner", "s", [BUS_NAME]);
      const [pid] = await this.#connection.callBus("GetConnectionUnixProcessID", "s", [owner]);
      return `process ${String(pid)} (${String(owner)})`;
    } catch (error) {
      return `another connection (about which the bus says: ${errorText(error)})`;
    }
  }
}

function refusal(error: unknown): string {
  if (error instanceof DbusError && error.errorName.endsWith(".AccessDenied"))
    return `the message bus's policy does not allow it (is stratisd.conf installed, and is this process root's?): ${error.message}`;
  return errorText(error);
}
