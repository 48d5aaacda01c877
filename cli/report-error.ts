/** From an error to what the user is told (cli.md §8.3 to §8.6). */
import { readdir, readFile } from "node:fs/promises";
import { chainText } from "./chain";
import * as errors from "./errors";
import { ERROR, OLDEST_MANAGER } from "./names";
import type { Json } from "./format/json";
import { documentText } from "./output/document";
import { EFFECTS, itemJson } from "./output/items";
import { CallError } from "./stratisd";

const DAEMON_PROCESS = "stratisd";

/** Whether a process of the daemon's name runs; null when processes cannot be examined. */
async function daemonRuns(): Promise<boolean | null> {
  try {
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      // A process that ended since the directory was read has no name any more.
      const name = await readFile(`/proc/${entry}/comm`, "utf8").catch(() => "");
      if (name.trimEnd() === DAEMON_PROCESS) return true;
    }
    return false;
  } catch {
    return null;
  }
}

async function explainAbsence(): Promise<string> {
  const runs = await daemonRuns();
  if (runs === null) return "Most likely there is no stratisd process running.";
  return runs
    ? "Most likely stratis is unable to connect to the stratisd D-Bus service."
    : "It appears that there is no stratisd process running.";
}

/** A property's value as a user would write it. */
function plainValue(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const [present, inner] = value as unknown[];
  return present === true ? String(inner) : "none";
}

function explainProperty(verb: "get" | "set", { call, dbusError }: CallError): string | null {
  const { property } = call;
  if (property === undefined) return null;
  const target = verb === "set" ? ` to "${plainValue(property.value)}"` : "";
  return (
    `stratisd failed to perform the operation that you requested, because it could not ${verb} the D-Bus property ` +
    `"${property.name}" belonging to interface "${property.interface}"${target}. It returned the following error: ` +
    `${dbusError.message}.`
  );
}

function explainNoReply({ call }: CallError): string {
  if (call.property?.interface === OLDEST_MANAGER)
    return "stratis did not send the requested commands to stratisd, because stratisd did not respond in the allowed time when it was asked for its version.";
  return "stratis sent the requested commands to stratisd, but stratisd did not return the results in the allowed time.";
}

/** Rows 8 to 10 of cli.md §8.3. */
async function explainCall(error: CallError): Promise<string | null> {
  const { call, dbusError } = error;
  switch (dbusError.errorName) {
    case ERROR.zbus:
      return call.member === "Set" ? explainProperty("set", error) : null;
    case ERROR.disconnected:
      return (
        "The D-Bus connection was disconnected during a D-Bus interaction. Most likely, your SELinux policy does " +
        `not permit that interaction. It returned the following error: ${dbusError.message}.`
      );
    case ERROR.failed:
      if (call.member === "GetManagedObjects")
        return "stratis met a transient inconsistency in the D-Bus interface; a second try of the command will most likely succeed.";
      if (call.member === "Get") return explainProperty("get", error);
      return call.member === "Set" ? explainProperty("set", error) : null;
    case ERROR.noReply:
      return explainNoReply(error);
    case ERROR.accessDenied:
      return "Most likely stratis has insufficient permissions for the action requested.";
    case ERROR.nameHasNoOwner:
    case ERROR.serviceUnknown:
      return explainAbsence();
    default:
      return null;
  }
}

/** One explanation, or null if there is none. */
async function explain(error: unknown): Promise<string | null> {
  if (error instanceof errors.NotFoundError)
    return `Most likely you specified a ${error.kind} which does not exist.`;
  if (error instanceof errors.MissingPropertyError)
    return `${error.message} This could be due to the fact that stratisd omitted the property from the GetManagedObjects result because there was an error in obtaining that value.`;
  if (error instanceof errors.UnexpectedValueError)
    return `stratis expects a different D-Bus interface than the one stratisd provides: ${error.message}.`;
  if (error instanceof errors.EngineError)
    return (
      "stratisd failed to perform the operation that you requested. It returned the following information via the " +
      `D-Bus: ${error.message}.`
    );
  if (error instanceof errors.UnintendedCommandError)
    return `It appears that you issued an unintended command: ${error.message}`;
  if (error instanceof errors.VersionError)
    return `${error.message}. stratis can execute only the subset of its commands that do not require stratisd.`;
  if (error instanceof errors.IncoherenceError)
    return (
      "stratisd reported that it did not execute every action that it would have been expected to execute as a " +
      `result of the command that you requested: ${error.message}`
    );
  if (error instanceof errors.SynthUeventError)
    return `stratis reported an error in generating a synthetic udev event: ${error.message}`;
  if (error instanceof errors.PartlyDoneError) {
    const explanation = await explain(error.cause);
    return explanation === null ? null : `${error.message} ${explanation}`;
  }
  if (error instanceof errors.NoBusError) return `stratis ${error.message}`;
  return error instanceof CallError ? explainCall(error) : null;
}

/** What needs no explanation. */
const isPlain = (error: unknown): error is Error =>
  error instanceof errors.TimeoutVariableError ||
  error instanceof errors.UnsupportedError ||
  error instanceof errors.DeclinedError ||
  error instanceof errors.HistoryError;

/** The error in one text, or null for one that is not expected. */
const messageFor = async (error: unknown): Promise<string | null> =>
  isPlain(error) ? error.message : explain(error);

/** What programs can tell errors apart by. */
function kindOf(error: unknown): string {
  if (error instanceof errors.UnintendedCommandError)
    return error.effect === undefined ? "unintended_command" : "no_effect";
  if (error instanceof errors.EngineError) return "engine";
  if (error instanceof errors.NotFoundError) return "not_found";
  if (error instanceof errors.IncoherenceError) return "incoherence";
  if (error instanceof errors.PartlyDoneError) return "partly_done";
  if (error instanceof errors.VersionError) return "version";
  if (error instanceof errors.NoBusError) return "no_bus";
  if (error instanceof errors.MissingPropertyError || error instanceof errors.UnexpectedValueError)
    return "interface";
  if (error instanceof errors.SynthUeventError) return "uevent";
  if (error instanceof errors.TimeoutVariableError) return "environment";
  if (error instanceof errors.UnsupportedError) return "unsupported";
  if (error instanceof errors.DeclinedError) return "declined";
  if (error instanceof errors.HistoryError) return "history";
  return error instanceof CallError ? "dbus" : "internal";
}

/** As reportText, as a JSON document. */
export async function reportDocument(error: unknown, style: { oneLine?: boolean } = {}): Promise<string> {
  const facts = new Map<string, Json>([
    ["kind", kindOf(error)],
    ["message", (await messageFor(error)) ?? errors.messageOf(error)],
  ]);
  if (error instanceof CallError) facts.set("dbus_error", error.dbusError.errorName);
  if (error instanceof errors.UnintendedCommandError && error.effect !== undefined) {
    facts.set("would_change", [...error.effect.changed]);
    facts.set("unchanged", [...error.effect.unchanged]);
  }
  if (error instanceof errors.PartlyDoneError)
    for (const name of EFFECTS) facts.set(name, (error.effects[name] ?? []).map(itemJson));
  return documentText([["error", facts]], style);
}

/** All that goes to standard error about an error of an action. */
export async function reportText(error: unknown): Promise<string> {
  if (isPlain(error)) return `${error.message}\n`;
  const explanation = await explain(error);
  if (explanation !== null) return `Execution failed:\n${explanation}\n`;
  return (
    "stratis encountered an unexpected error during execution. Please report the error and include in your report " +
    `the information that follows.\n\n${chainText(error)}`
  );
}
