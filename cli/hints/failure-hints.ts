/**
 * What to type next after a command has failed: for people at a terminal, below the explanation. Scripts read the
 * explanation, which is stratis-cli's; hints go nowhere but to a terminal.
 */
import type { Context } from "../context";
import { EngineError, NoBusError, NotFoundError, UnintendedCommandError, messageOf } from "../errors";
import { hyphenated } from "../format/uuid";
import { ERROR } from "../names";
import { secondsText } from "../timeout";
import { maybeSelectorOf } from "../parser/shared";
import { CallError } from "../stratisd";
import { asText } from "../values";
import { knownNames, type KnownNames } from "./known-names";
import { nearNames } from "./near";
import { alternatives, commandLine } from "./shell";

/** Hints are not worth a longer wait. */
const PATIENCE_MS = 2000;

const didYouMean = (wanted: string, known: Iterable<string>): string[] => {
  const near = nearNames(wanted, known);
  return near.length === 0 ? [] : [`Did you mean ${alternatives(near)}?`];
};

function daemonHints(error: unknown): string[] | null {
  if (error instanceof NoBusError) return ["Find out what is missing with: stratis doctor"];
  if (!(error instanceof CallError)) return null;
  switch (error.dbusError.errorName) {
    case ERROR.nameHasNoOwner:
    case ERROR.serviceUnknown:
      return [
        "Start the daemon with: systemctl start stratisd",
        "Find out what is missing with: stratis doctor",
      ];
    case ERROR.accessDenied:
      return ["Only root may do this: try the command with sudo."];
    case ERROR.noReply:
      return error.dbusError.sender === null ? lateHints(error.dbusError.timeoutMs) : null;
    default:
      return null;
  }
}

/** The time that was waited was too short. */
const lateHints = (timeoutMs: number | null): string[] => [
  ...(timeoutMs === null ? [] : [`The time that was allowed is ${secondsText(timeoutMs)}.`]),
  "stratisd goes on with a change that it has begun. How it ends is told by: stratis history",
  "To wait for 5 minutes, set STRATIS_DBUS_TIMEOUT=300000 (milliseconds) in the environment.",
];

/** The pool that the command was given, by name. */
const poolNameOf = ({ values, command }: Context): string | undefined =>
  values.maybeText(command === "pool rename" ? "current" : "pool_name") ?? values.maybeText("--name");

function absentPool(name: string, { pools, stoppedPools }: KnownNames): string[] {
  if (stoppedPools.some((pool) => pool.name === name))
    return [
      `The pool "${name}" is stopped. Start it with: ${commandLine("stratis", "pool", "start", "--name", name)}`,
    ];
  const near = didYouMean(name, pools.keys());
  return [
    `There is no pool "${name}".`,
    ...(near.length > 0 ? near : ["See which there are with: stratis pool list"]),
  ];
}

function absentFilesystem(name: string, pool: string, { filesystems }: KnownNames): string[] {
  const near = didYouMean(
    name,
    filesystems.filter((filesystem) => filesystem.pool === pool).map((filesystem) => filesystem.name),
  );
  const elsewhere = filesystems.filter((filesystem) => filesystem.name === name);
  return [
    `There is no filesystem "${name}" in pool "${pool}".`,
    ...elsewhere.map((filesystem) => `Pool "${filesystem.pool}" has one of this name.`),
    ...near,
    ...(near.length + elsewhere.length > 0
      ? []
      : [`See which there are with: ${commandLine("stratis", "filesystem", "list", pool)}`]),
  ];
}

const FILESYSTEM_ARGUMENTS = ["fs_name", "origin_name", "snapshot_name"] as const;

function absentHints(error: NotFoundError, context: Context, known: KnownNames): string[] {
  const { values } = context;
  const pool = poolNameOf(context);
  if (error.kind === "pool") return pool === undefined ? [] : absentPool(pool, known);
  if (error.kind === "block device") return ["See which there are with: stratis blockdev list"];
  if (context.command === "filesystem list" && pool !== undefined) {
    const name = values.maybeText("--name");
    return name === undefined ? [] : absentFilesystem(name, values.text("pool_name"), known);
  }
  const argument = FILESYSTEM_ARGUMENTS.find((name) => values.has(name));
  if (argument === undefined || pool === undefined) return [];
  return absentFilesystem(values.text(argument), pool, known);
}

function unintendedHints(
  error: UnintendedCommandError,
  { command, values }: Context,
  known: KnownNames,
): string[] {
  if (command === "filesystem destroy" && error.effect !== undefined)
    return error.effect.unchanged.flatMap((name) => absentFilesystem(name, values.text("pool_name"), known));
  if (command === "key set")
    return [
      `Give it another value with: ${commandLine("stratis", "key", "reset", values.text("keydesc"))} ...`,
    ];
  if (command === "key reset" || command === "key unset") {
    const near = didYouMean(values.text("keydesc"), known.keys);
    return near.length > 0 ? near : ["See which keys there are with: stratis key list"];
  }
  const stoppedList = command === "pool list" && values.flag("--stopped");
  const name = values.maybeText("--name");
  if ((command === "pool start" || stoppedList) && name !== undefined) return absentStopped(name, known);
  return [];
}

function absentStopped(name: string, { pools, stoppedPools }: KnownNames): string[] {
  if (stoppedPools.some((pool) => pool.name === name)) return [];
  if (pools.has(name)) return [`The pool "${name}" is started.`];
  const near = didYouMean(
    name,
    stoppedPools.map((pool) => pool.name),
  );
  return near.length > 0 ? near : ["See which there are with: stratis pool list --stopped"];
}

const UUID = /\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b/g;

/** The names of what a message of stratisd's calls by UUID, if it does not name it too. */
function namesOfUuids(message: string, { pools, filesystems, stoppedPools }: KnownNames): string[] {
  const names = new Map<string, string>();
  for (const [name, pool] of pools) {
    const uuid = pool.maybe("Uuid", asText);
    if (uuid !== undefined) names.set(uuid, `pool "${name}"`);
  }
  for (const { uuid, name, pool } of filesystems) names.set(uuid, `filesystem "${name}" of pool "${pool}"`);
  for (const { uuid, name } of stoppedPools) names.set(uuid, `the stopped pool "${name}"`);
  const found = new Set((message.match(UUID) ?? []).map((text) => text.replaceAll("-", "")));
  return [...found].flatMap((uuid) => {
    const name = names.get(uuid);
    return name === undefined ? [] : [`${hyphenated(uuid)} is ${name}.`];
  });
}

function destroyHints(name: string, { filesystems }: KnownNames): string[] {
  const own = filesystems.filter(({ pool }) => pool === name).map((filesystem) => filesystem.name);
  if (own.length === 0) return [];
  return [
    `Pool "${name}" has ${own.length === 1 ? "a filesystem" : `${own.length} filesystems`}. Destroy what is in it too with: ` +
      commandLine("stratis", "pool", "destroy", name, "--with-filesystems"),
  ];
}

function startHints(context: Context, known: KnownNames): string[] {
  const { values } = context;
  const selector = maybeSelectorOf(values);
  const stopped = known.stoppedPools.find(
    (pool) => selector !== undefined && pool[selector.by] === selector.value,
  );
  if (stopped === undefined)
    return selector?.by === "name"
      ? absentStopped(selector.value, known)
      : ["See which there are with: stratis pool list --stopped"];
  const given = ["--unlock-method", "--token-slot", "--capture-key", "--keyfile-path"].some((option) =>
    values.has(option),
  );
  const name = selector === undefined ? [] : [`--${selector.by}`, selector.value];
  return [
    ...(given
      ? []
      : [
          `If the pool is encrypted, unlock it with: ${commandLine("stratis", "pool", "start", ...name, "--unlock-method", "any")}`,
        ]),
    `See what is known of it with: ${commandLine("stratis", "pool", "list", "--stopped", ...name)}`,
  ];
}

function engineHints(error: EngineError, context: Context, known: KnownNames): string[] {
  const { message } = error;
  const pool = poolNameOf(context);
  const hints = namesOfUuids(message, known);
  if (context.command === "pool destroy" && pool !== undefined) hints.push(...destroyHints(pool, known));
  if (context.command === "pool start") hints.push(...startHints(context, known));
  if (context.command === "pool stop" && pool !== undefined && !known.pools.has(pool))
    hints.push(...absentPool(pool, known));
  if (/pool limit of \d+ filesystems|filesystem limit/i.test(message) && pool !== undefined)
    hints.push(`Raise the limit with: ${commandLine("stratis", "pool", "set-fs-limit", pool)} NUMBER`);
  const carrier = /(\/\S+) is already in use: (?:it carries|udev found)/.exec(message)?.[1];
  if (carrier !== undefined) hints.push(`See what is on the device with: ${commandLine("wipefs", carrier)}`);
  if (/mounted/.test(message)) hints.push("See what is mounted with: findmnt --type xfs");
  return hints;
}

async function hintsFrom(error: unknown, context: Context): Promise<string[]> {
  if (error instanceof NotFoundError) return absentHints(error, context, await knownNames(context));
  if (error instanceof UnintendedCommandError)
    return unintendedHints(error, context, await knownNames(context));
  if (error instanceof EngineError) return engineHints(error, context, await knownNames(context));
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? [] : hintsFrom(cause, context);
}

/** Lines for the terminal, each with its newline. Never rejects: what cannot be found out is no second failure. */
export async function failureHints(error: unknown, context: Context): Promise<string> {
  const hints = daemonHints(error);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[]>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, []);
  });
  try {
    const found = hints ?? (await Promise.race([hintsFrom(error, context), late]));
    return found.map((hint) => `Hint: ${hint}\n`).join("");
  } catch (failure) {
    return `(No hints: ${messageOf(failure)})\n`;
  } finally {
    clearTimeout(timer);
  }
}
