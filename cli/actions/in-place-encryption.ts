/** Commands that encrypt or decrypt a whole pool, which takes hours (cli.md §7.2, §8.4). */
import { MESSAGE_BUS } from "../bus";
import type { Action } from "../context";
import { IncoherenceError, inPlaceMissing, noChange } from "../errors";
import { selectorText, type ManagedObject } from "../managed-objects";
import { ERROR } from "../names";
import { changing } from "../output/change";
import { poolItem, type Item } from "../output/items";
import type { Progress } from "../output/progress";
import { poolSelectorOf } from "../parser/shared";
import type { Values } from "../parser/values";
import { CallError, type Stratisd } from "../stratisd";
import { asFlag } from "../values";
import { encryptionArguments } from "./clevis-config";
import { progressOf, progressText } from "./in-place-progress";
import { encryptionLoss } from "./losses";

/** How long to wait before leaving the operation to the daemon, and with --wait: the longest time that a timer takes. */
const TIMEOUT_MS = 10_000;
const WAIT_TIMEOUT_MS = 2 ** 31 - 1;
/** Between looks at how far it is. */
const LOOK_MS = 2000;
const PERCENTS = 100;

/**
 * Whether the daemon is still at it: the time for the reply to this very call is over. When it is the bus that reports
 * that there will be no reply, the daemon has gone away.
 */
function isUnderWay(error: unknown, member: string): boolean {
  if (!(error instanceof CallError) || error.call.member !== member) return false;
  const { errorName, sender } = error.dbusError;
  return errorName === ERROR.noReply && sender !== MESSAGE_BUS;
}

/** Shows how far the operation is. */
function watch(stratisd: Stratisd, pool: ManagedObject, progress: Progress): { stop: () => void } {
  const look = async (): Promise<void> => {
    const operation = (await stratisd.managedObjects()).operationOn(pool);
    if (operation === undefined) return;
    const found = progressOf(operation);
    progress.step(found.percent ?? 0, PERCENTS, `${found.what}: ${progressText(found)}`);
  };
  const timer = setInterval(() => {
    // What went wrong with the connection is told by the call that is being waited for.
    look().catch(() => undefined);
  }, LOOK_MS);
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}

interface Operation {
  readonly command: string;
  readonly member: string;
  readonly arguments?: (values: Values) => { readonly signature: string; readonly body: unknown[] };
  /** Otherwise there is nothing to do. */
  readonly isNeeded?: (pool: ManagedObject) => boolean;
  readonly set: Item["set"];
}

const longOperation = ({ command, member, isNeeded = () => true, ...operation }: Operation): Action =>
  changing(async (context) => {
    const { values } = context;
    if (!values.flag("--in-place")) throw inPlaceMissing();
    const selector = poolSelectorOf(values);
    const stratisd = await context.stratisd();
    const objects = await stratisd.managedObjects();
    const pool = objects.select("pool", selector);
    if (!isNeeded(pool)) throw noChange(command, `pool with ${selectorText(selector)}`);
    const effects = { changed: [poolItem(pool, operation.set)] };
    return {
      effects,
      examine: async (checks) => {
        if (member === "ReencryptPool") checks.checkEncrypted(pool);
        checks.checkAvailable(pool, "content");
        await checks.checkKeySet(stratisd, values.maybeText("--key-desc"));
      },
      loss: member === "DecryptPool" ? () => encryptionLoss(objects, pool) : undefined,
      perform: async (progress) => {
        const timeoutMs = values.flag("--wait") ? WAIT_TIMEOUT_MS : TIMEOUT_MS;
        const call = { ...pool.target, member, ...operation.arguments?.(values), timeoutMs };
        const watched = values.flag("--wait") ? watch(stratisd, pool, progress) : null;
        try {
          if (asFlag(await stratisd.request(call))) return undefined;
        } catch (error) {
          if (!isUnderWay(error, member)) throw error;
          return { effects, finished: false, notice: "Operation initiated" };
        } finally {
          watched?.stop();
        }
        throw new IncoherenceError(
          `Expected "${command}" to change the pool with ${selectorText(selector)} but stratisd reports that it did not`,
        );
      },
    };
  });

const isEncrypted = (pool: ManagedObject): boolean => pool.get("Encrypted", asFlag);

export const encrypt = longOperation({
  command: "encryption on",
  member: "EncryptPool",
  arguments: (values) => ({ signature: "a((bu)s)a((bu)ss)", body: encryptionArguments(values) }),
  isNeeded: (pool) => !isEncrypted(pool),
  set: { encrypted: true },
});

export const decrypt = longOperation({
  command: "encryption off",
  member: "DecryptPool",
  isNeeded: isEncrypted,
  set: { encrypted: false },
});

export const reencrypt = longOperation({
  command: "encryption reencrypt",
  member: "ReencryptPool",
  set: { reencrypted: true },
});
