/** The service of stratisd-min: requests of local programs over a Unix socket (system.md §18). */
import { mkdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { parse } from "lossless-json";
import { closeDescriptor } from "../bus/descriptors";
import { ReceivedDescriptors } from "../dbus/descriptors";
import { jsonText } from "../dbus/json";
import type { Engine } from "../engine/engine";
import { EngineError, errorText } from "../engine/errors";
import { commandOf } from "../history/process";
import { failure as failed } from "../history/record";
import { Recorder, type Attempt, type WriteRecord } from "../history/recorder";
import type { Logger } from "../log";
import { native, type FdPoll, type UnixListener } from "../native";
import { UuidError } from "../uuid";
import { ExchangeError, receiveMessage, sendMessage } from "./exchange";
import { changeOf, outcomeOf } from "./history";
import { METHODS, type Method } from "./methods";
import { ShapeError, variant } from "./shapes";
import { MOST_REQUEST_BYTES, SOCKET } from "./socket";

/** Each holds a descriptor or two; more wait in the socket's queue. */
const MOST_CONNECTIONS = 128;
/** A client sends all of its request at once. */
const REQUEST_MS = 10_000;
const RESPONSE_MS = 30_000;

export interface ServerOptions {
  readonly engine: Engine;
  readonly log: Logger;
  readonly socket?: string;
  /** Where the record of each request that was to change something goes. Default: nowhere. */
  readonly history?: WriteRecord;
}

/** undefined: text that is not JSON, or not all of it. */
function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // More may come; what never becomes JSON is refused when no more does.
    return undefined;
  }
}

export class JsonRpcServer {
  /** Settles with why no more connections can be accepted. */
  readonly failed: Promise<Error>;
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #path: string;
  readonly #listener: UnixListener;
  readonly #poll: FdPoll;
  readonly #recorder: Recorder;
  #fail: (error: Error) => void = () => undefined;
  #connections = 0;
  #open = true;

  /** Listens at once, in place of whatever an earlier process has left there. */
  constructor({ engine, log, socket = SOCKET, history = () => undefined }: ServerOptions) {
    this.#engine = engine;
    this.#log = log;
    this.#path = socket;
    this.#recorder = new Recorder(engine, history);
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    mkdirSync(path.dirname(socket), { recursive: true });
    rmSync(socket, { force: true });
    this.#listener = new (native().UnixListener)(Buffer.from(socket));
    this.#poll = new (native().FdPoll)(this.#listener.fd, () => {
      this.#accept();
    });
    this.#poll.start();
  }

  /** Nobody is accepted any more; requests that are being carried out are answered. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#poll.close();
    this.#listener.close();
    rmSync(this.#path, { force: true });
  }

  #accept(): void {
    try {
      while (this.#open && this.#connections < MOST_CONNECTIONS) {
        const peer = this.#listener.accept();
        if (peer === null) return;
        this.#begin(peer);
      }
      if (this.#open) this.#poll.stop();
    } catch (error) {
      // No descriptors or no memory: those that are served now end, and then there is room again.
      this.#log.warn(`A connection could not be accepted: ${errorText(error)}`);
      if (this.#connections === 0) this.#fail(error instanceof Error ? error : new Error(String(error)));
      else this.#poll.stop();
    }
  }

  #begin({ fd, pid, uid }: { fd: number; pid: number; uid: number }): void {
    // The socket's mode keeps others out already.
    if (uid !== 0 && uid !== process.getuid?.()) {
      this.#log.warn(`Process ${pid} of user ${uid} may not use ${this.#path}`);
      closeDescriptor(fd);
      return;
    }
    this.#connections += 1;
    void this.#serve(fd, { pid, uid }).finally(() => {
      this.#connections -= 1;
      if (this.#open) this.#poll.start();
    });
  }

  /** Never rejects. */
  async #serve(fd: number, peer: Peer): Promise<void> {
    const socket = new (native().UnixSocket)(fd);
    try {
      const answer = await this.#exchange(peer, () =>
        receiveMessage(socket, {
          parse: parsed,
          mostBytes: MOST_REQUEST_BYTES,
          timeoutMs: REQUEST_MS,
          what: "The request",
        }),
      );
      await sendMessage(socket, jsonText(answer), { timeoutMs: RESPONSE_MS });
    } catch (error) {
      this.#log.warn(`Process ${peer.pid} could not be answered: ${errorText(error)}`);
    } finally {
      socket.close();
    }
  }

  async #exchange(
    peer: Peer,
    receive: () => Promise<{ content: unknown; descriptors: readonly number[] }>,
  ): Promise<object> {
    let descriptors: ReceivedDescriptors | null = null;
    try {
      const message = await receive();
      descriptors = new ReceivedDescriptors(message.descriptors);
      return { Ok: await this.#answer(peer, message.content, descriptors) };
    } catch (error) {
      const isOfRequest = [ExchangeError, ShapeError, UuidError].some((kind) => error instanceof kind);
      if (!isOfRequest) this.#log.error(`Internal error: ${(error as Error).stack ?? errorText(error)}`);
      else this.#log.warn(errorText(error));
      return { Err: errorText(error) };
    } finally {
      descriptors?.close();
    }
  }

  async #answer(peer: Peer, content: unknown, descriptors: ReceivedDescriptors): Promise<object> {
    const { name, value } = variant(content, "The request");
    const method = METHODS.get(name);
    if (method === undefined) throw new ShapeError(`There is no request "${name}"`);
    requireDescriptors(method, descriptors.count);
    const work = method.prepare(value, {
      engine: this.#engine,
      key: descriptors.count === 0 ? null : descriptors,
    });
    this.#log.debug(`Request ${name}`);
    if (!("failure" in method)) return { [name]: await work() };
    const attempt = this.#attempt(peer, name, value);
    return { [name]: await this.#carryOut(name, work, method.failure, attempt) };
  }

  /** null for a request that changes nothing. */
  #attempt({ pid, uid }: Peer, name: string, value: unknown): Attempt | null {
    const change = changeOf(this.#engine, name, value);
    if (change === null) return null;
    return this.#recorder.begin(change, Promise.resolve({ uid, pid, command: commandOf(pid), left: false }));
  }

  async #carryOut(
    name: string,
    work: () => Promise<unknown>,
    failure: unknown,
    attempt: Attempt | null,
  ): Promise<unknown[]> {
    try {
      const result = await work();
      this.#log.info(`${name}: ${jsonText(result)}`);
      attempt?.end(outcomeOf(name, result));
      return [result, 0, "OK"];
    } catch (error) {
      attempt?.end(failed(errorText(error)));
      this.#log.warn(`${name} failed: ${errorText(error)}`);
      if (!(error instanceof EngineError)) this.#log.debug((error as Error).stack ?? "");
      return [failure, 1, errorText(error)];
    }
  }
}

/** The process that has connected. */
interface Peer {
  readonly pid: number;
  readonly uid: number;
}

function requireDescriptors({ takesKey }: Method, count: number): void {
  if (count > 1) throw new ShapeError("Unix packet contained more than one file descriptor");
  if (count === 0 && takesKey === "always")
    throw new ShapeError("Method expected a file descriptor and did not receive one");
  if (count === 1 && takesKey === "never")
    throw new ShapeError(
      "Method did not expect a file descriptor and received one anyway; file descriptor was closed",
    );
}
