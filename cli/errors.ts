/** What can go wrong while a command runs, with the texts of cli.md §8.2. How they are reported: report-error.ts. */
import type { Effects } from "./output/items";
import { pythonList } from "./format/python-literal";

/** Base of the errors that are explained to the user. */
export abstract class CommandError extends Error {}

/** Of what a command was asked to change: what would be changed, and what has the wanted state already. */
export interface Effect {
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

/** The command would change nothing, or not all of what was asked, or names something that is not there. */
export class UnintendedCommandError extends CommandError {
  override name = "UnintendedCommandError";
  /** Of a command that was refused because it would not change everything. */
  readonly effect: Effect | undefined;
  constructor(message: string, options: ErrorOptions & { readonly effect?: Effect } = {}) {
    super(message, options);
    this.effect = options.effect;
  }
}

/** stratisd carried out the call and answered with a return code other than 0. */
export class EngineError extends CommandError {
  override name = "EngineError";
  constructor(code: bigint, message: string) {
    super(`${code === 1n ? "ERROR" : "???"}: ${message}`);
  }
}

/** stratisd reported success, but not the effect that was asked for. */
export class IncoherenceError extends CommandError {
  override name = "IncoherenceError";
}

/** The running stratisd is not one that this client can talk to. */
export class VersionError extends CommandError {
  override name = "VersionError";
}

export class SynthUeventError extends CommandError {
  override name = "SynthUeventError";
  constructor(cause: Error) {
    super(`Failed to send synth event: ${cause.message}`, { cause });
  }
}

export type ObjectKind = "pool" | "filesystem" | "block device";

/** No managed object has the properties that were looked for. */
export class NotFoundError extends CommandError {
  override name = "NotFoundError";
  constructor(
    readonly kind: ObjectKind,
    wanted: string,
  ) {
    super(`There is no ${kind} with ${wanted}`);
  }
}

/** A property that is needed is not in the result of GetManagedObjects. */
export class MissingPropertyError extends CommandError {
  override name = "MissingPropertyError";
  constructor(property: string, interfaceName: string) {
    super(
      `Property "${property}" belonging to interface "${interfaceName}" is not in this GetManagedObjects result.`,
    );
  }
}

/** stratisd sent a value of another form than its interface declares. */
export class UnexpectedValueError extends CommandError {
  override name = "UnexpectedValueError";
}

/** Some of the calls of a command succeeded before one failed, which is the cause. */
export class PartlyDoneError extends CommandError {
  override name = "PartlyDoneError";
  constructor(
    done: string,
    cause: unknown,
    /** What was done. */
    readonly effects: Effects,
  ) {
    super(done, { cause });
  }
}

/** What this client cannot do; told in one line. */
export class UnsupportedError extends CommandError {
  override name = "UnsupportedError";
}

/** The user does not want what the command would lose; told in one line. */
export class DeclinedError extends CommandError {
  override name = "DeclinedError";
}

/** The history cannot be read; told in one line. */
export class HistoryError extends CommandError {
  override name = "HistoryError";
}

/** There is no bus to talk to. The message says what stratis could not do. */
export class NoBusError extends CommandError {
  override name = "NoBusError";
}

/** STRATIS_DBUS_TIMEOUT cannot be used. */
export class TimeoutVariableError extends Error {
  override name = "TimeoutVariableError";
}

const resources = (names: readonly string[]): string =>
  names.length === 1 ? `resource ${names[0] ?? ""}` : `resources ${pythonList(names)}`;

export const noChange = (action: string, resource: string): UnintendedCommandError =>
  new UnintendedCommandError(`The '${action}' action has no effect for resource ${resource}`, {
    effect: { changed: [], unchanged: [resource] },
  });

/** `unchanged` must not be empty. */
export const partialChange = (
  action: string,
  changed: readonly string[],
  unchanged: readonly string[],
): UnintendedCommandError =>
  new UnintendedCommandError(
    `The '${action}' action has no effect for ${resources(unchanged)}` +
      (changed.length === 0 ? "" : ` but does for ${resources(changed)}`),
    { effect: { changed, unchanged } },
  );

export const nameConflict = (kind: "pool" | "key", name: string): UnintendedCommandError =>
  new UnintendedCommandError(`A ${kind} named ${name} already exists`);

export const resourceNotFound = (command: string, resource: string): UnintendedCommandError =>
  new UnintendedCommandError(
    `Command '${command}' assumes that resource '${resource}' exists but it was not found.`,
  );

export const inPlaceMissing = (): UnintendedCommandError =>
  new UnintendedCommandError(
    "Specify the --in-place option to demonstrate that you understand the special nature of the procedure that you " +
      'are about to initiate. Please refer to the discussion of the "--in-place" option in the man pages for ' +
      "further information.",
  );

export type TierName = "DATA" | "CACHE";

/** Devices that are to be added to the `want` tier but are in the `have` tier of the pools named. */
export function devicesInUse(
  devicesByPool: ReadonlyMap<string, readonly string[]>,
  have: TierName,
  want: TierName,
): UnintendedCommandError {
  const details = [...devicesByPool].map(([pool, devices]) => {
    const [subject, verb] =
      devices.length === 1 ? [`device ${devices[0] ?? ""}`, "is"] : [`devices ${pythonList(devices)}`, "are"];
    return (
      `; ${subject} would be added to the ${want} tier but ${verb} already in use in the ${have} tier ` +
      `of pool ${pool}`
    );
  });
  return new UnintendedCommandError(
    `At least one of the provided devices is already owned by an existing pool's ${have} tier${details.join("")}`,
  );
}

/** The text of an error of any kind. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
