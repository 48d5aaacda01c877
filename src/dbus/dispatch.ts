/** From a method call on the bus to its reply (dbus-api.md §2.3, §4). Knows nothing of connections. */
import { TooLong } from "../bus/limits";
import { parseSignature } from "../bus/signature";
import { errorText } from "../engine/errors";
import { announceActions, requireSignature, type IncomingCall, type Reply } from "./call";
import type { ServiceContext } from "./context";
import {
  DbusError,
  failed,
  limitExceeded,
  unknownInterface,
  unknownMethod,
  unknownObject,
  type ErrorAnswer,
} from "./errors";
import { outcomeOf } from "./history/calls";
import type { CallHandler, CallHead } from "./incoming";
import { findInterface, interfaceCalled } from "./interfaces";
import { ANCESTORS, standardInterfaces } from "./introspect";
import { BASE_PATH, INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES } from "./names";
import { syncPool } from "./reconcile";
import { outgoing } from "./signature";
import { callPeer, callStandard } from "./standard";
import type { DerivedInterface, DerivedMethod } from "./table/derive";
import type { Kind } from "./names";
import { targetOf } from "./targets";
import type { Entry } from "./tree";

/** Interfaces whose methods only read; of Properties those of READING_PROPERTIES. */
const READING: readonly (string | undefined)[] = [PEER, INTROSPECTABLE, OBJECT_MANAGER];
const READING_PROPERTIES: readonly string[] = ["Get", "GetAll"];

/** Which calls need no answer when none is wanted, and which can make use of descriptors. */
export function examine({ interface: name, member }: CallHead): ReturnType<CallHandler["examine"]> {
  const reads = READING.includes(name) || (name === PROPERTIES && READING_PROPERTIES.includes(member));
  const method = name === undefined ? undefined : interfaceCalled(name)?.methods.get(member);
  return { hasEffect: !reads, takesDescriptors: method?.inSignature.includes("h") ?? false };
}

/** Rejects with DbusError for an error reply; any other rejection is a defect of ours. */
export async function dispatch(service: ServiceContext, call: IncomingCall): Promise<Reply> {
  if (call.interface === undefined) throw failed("Missing interface");
  if (call.interface === PEER) return callPeer(call);
  if (waitsForRefresh(service, call)) await service.refreshing;
  const entry = service.tree.at(call.path);
  if (entry === undefined && !ANCESTORS.includes(call.path)) throw unknownObject(call.path);
  if (standardInterfaces(call.path).includes(call.interface)) return callStandard(service, entry, call);
  const derived = entry === undefined ? undefined : findInterface(entry, call.interface);
  if (entry === undefined || derived === undefined) throw unknownInterface(call.interface);
  const method = derived.methods.get(call.member);
  if (method === undefined) throw unknownMethod(call.member);
  requireSignature(call, method.inSignature);
  return invoke(service, entry, derived, method, call);
}

/**
 * A refresh puts new pools in the place of those it lets go of. What changes a pool waits for these, and what reads does
 * while some are missing.
 */
function waitsForRefresh({ engine, tree, refreshing }: ServiceContext, call: IncomingCall): boolean {
  if (refreshing === undefined) return false;
  if (examine(call).hasEffect) return call.path !== BASE_PATH;
  return tree.pools().some(({ uuid }) => engine.getPool(uuid) === undefined);
}

/** Runs a Stratis method. Its failure is a successful reply with return_code 1. */
async function invoke(
  service: ServiceContext,
  entry: Entry,
  derived: DerivedInterface,
  method: DerivedMethod<Kind>,
  call: IncomingCall,
): Promise<Reply> {
  const { variant } = method;
  const where = `${derived.name}.${method.name} on ${entry.path}`;
  let result: unknown;
  let code = 0;
  let text = "Ok";
  try {
    const { revision } = derived;
    const target = targetOf(service, entry);
    service.log.debug(`Calling ${where}`);
    result = await variant.handle(
      { service, target, revision, descriptors: call.descriptors },
      call.body.slice(0, method.in.length),
    );
  } catch (error) {
    result = variant.failure;
    code = 1;
    text = errorText(error);
    service.log.warn(`${where} failed: ${text}`);
    syncAfterFailure(service, entry);
  }
  announceActions(service, entry);
  const values = variant.out.length === 0 ? [code, text] : [result, code, text];
  return {
    signature: method.outSignature,
    body: parseSignature(method.outSignature).map((_, index) =>
      outgoing(method.out[index]?.signature ?? "", values[index]),
    ),
    outcome: outcomeOf(result, code, text),
  };
}

/** An operation that failed midway may have made or removed some of its objects. */
function syncAfterFailure(service: ServiceContext, entry: Entry): void {
  if (entry.kind === "manager") return;
  const uuid = entry.kind === "pool" ? entry.uuid : entry.pool;
  // A pool that is gone is left to the operation that took it away: it may be on its way back.
  if (service.engine.getPool(uuid) !== undefined) syncPool(service, uuid);
}

/** The error reply for anything that was thrown; never a stack. */
export function asDbusError(
  service: Pick<ServiceContext, "log">,
  error: unknown,
  where: string,
): ErrorAnswer {
  if (error instanceof DbusError) return error;
  if (error instanceof TooLong) {
    service.log.warn(`The answer to ${where} is too long: ${error.message}`);
    return limitExceeded(`The answer is too long: ${error.message}`);
  }
  const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
  service.log.error(`Internal error while answering ${where}: ${details}`);
  return failed(`Internal error: ${errorText(error)}`);
}
