/**
 * What a message is about, for the fields of a journal entry: OPERATION, POOL_UUID, FS_UUID, DEV_UUID. Messages name
 * pools and filesystems as people do; the engine knows which these are.
 */
import type { Engine, Pool } from "../engine/engine";
import { hyphenated, type DevUuid, type FilesystemUuid, type PoolUuid } from "../uuid";
import type { Field } from "./journal";

/** The first so many count: one call may destroy thousands of filesystems. */
const MOST_SUBJECTS = 64;
/** How far before a UUID the words are that say what it is. */
const WORDS = 40;

/** Also the digits in device-mapper names. */
const UUID = /(?<![0-9a-f])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])/g;
/** What stands before a UUID of which the engine knows nothing, or no longer. */
const BEFORE_POOL = /(?:\bpool (?:with )?(?:uuid )?\(?|\bstratis-1-(?:private-)?)$/i;
const BEFORE_FILESYSTEM = /(?:\bfilesystem (?:with )?(?:uuid )?\(?|-thin-fs-)$/i;
/** "StopPool: pool data: stopped": names have no blanks. */
const PLAIN_POOL = /^\w+: pool (\S+)(?:: | \(| exists | is )/g;
const CREATED = /: created \[?([^[\]]+?)(?:\]$| of [0-9a-f-]{36}$)/;
const QUOTED_POOL = /\bpool(?: with name)? "([^"]+)"/gi;
const QUOTED_FILESYSTEM = /\bfilesystem "([^"]+)"/gi;
/** A method that was carried out begins its message so; of one that failed the interface is named. */
const OPERATION = /^(?:((?:[A-Z][a-z]+){2,}): |org\.storage\.stratis3\.\w+\.r\d+\.(\w+) on \S+ failed)/;

type Known = Pick<Engine, "pools" | "getPool" | "stoppedPools">;

class Subjects {
  readonly #fields = new Map<string, Field>();

  add(name: string, value: string): void {
    if (!this.full) this.#fields.set(`${name}=${value}`, [name, value]);
  }

  get full(): boolean {
    return this.#fields.size >= MOST_SUBJECTS;
  }

  get fields(): Field[] {
    return [...this.#fields.values()];
  }
}

const values = (text: string, expression: RegExp): string[] =>
  [...text.matchAll(expression)].flatMap(([, value]) => value ?? []);

function fieldByWords(before: string, operation: string): string | null {
  if (BEFORE_POOL.test(before)) return "POOL_UUID";
  if (BEFORE_FILESYSTEM.test(before) || operation.includes("Filesystem")) return "FS_UUID";
  return null;
}

function addUuid(subjects: Subjects, engine: Known, uuid: string, otherwise: string | null): void {
  if (engine.getPool(uuid as PoolUuid) !== undefined) {
    subjects.add("POOL_UUID", uuid);
    return;
  }
  for (const pool of engine.pools()) {
    const isFilesystem = pool.getFilesystem(uuid as FilesystemUuid) !== undefined;
    if (!isFilesystem && pool.getBlockDev(uuid as DevUuid) === undefined) continue;
    subjects.add("POOL_UUID", pool.uuid);
    subjects.add(isFilesystem ? "FS_UUID" : "DEV_UUID", uuid);
    return;
  }
  if (otherwise !== null) subjects.add(otherwise, uuid);
}

function addNames(subjects: Subjects, engine: Known, message: string): void {
  const poolNames: (string | null)[] = [...values(message, PLAIN_POOL), ...values(message, QUOTED_POOL)];
  if (poolNames.length === 0) return;
  const pools: Pool[] = engine.pools().filter(({ name }) => poolNames.includes(name));
  const stopped = engine.stoppedPools().filter(({ name }) => poolNames.includes(name));
  for (const { uuid } of [...pools, ...stopped]) subjects.add("POOL_UUID", uuid);
  const created = CREATED.exec(message)?.[1]?.split(", ") ?? [];
  const filesystemNames = [...created, ...values(message, QUOTED_FILESYSTEM)];
  if (filesystemNames.length === 0) return;
  for (const pool of pools)
    for (const { name, uuid } of pool.filesystems())
      if (filesystemNames.includes(name)) subjects.add("FS_UUID", uuid);
}

/** The fields for a message; none when it is about nothing in particular. */
export function subjectsOf(message: string, engine: Known): Field[] {
  const subjects = new Subjects();
  const [, done, failed] = OPERATION.exec(message) ?? [];
  const operation = done ?? failed ?? "";
  if (operation !== "") subjects.add("OPERATION", operation);
  for (const { 0: text, index } of message.matchAll(UUID)) {
    if (subjects.full) break;
    const before = message.slice(Math.max(0, index - WORDS), index);
    const uuid = text.includes("-") ? text : hyphenated(text);
    addUuid(subjects, engine, uuid, fieldByWords(before, operation));
  }
  addNames(subjects, engine, message);
  return subjects.fields;
}
