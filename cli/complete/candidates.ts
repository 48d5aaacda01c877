/** What can stand for the word that is to be completed. */
import { columnNames } from "../parser/extensions";
import type { Command, Option, Positional } from "../parser/grammar";
import { optionsOf } from "../parser/parse";
import type { Position } from "./position";

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Things that there are on the machine; asked for only when they are needed. */
export interface LiveNames {
  pools(): Promise<Candidate[]>;
  poolUuids(): Promise<Candidate[]>;
  stoppedPools(): Promise<Candidate[]>;
  stoppedPoolUuids(): Promise<Candidate[]>;
  /** Of one pool, or of all. */
  filesystems(pool: string | undefined): Promise<Candidate[]>;
  filesystemUuids(pool: string | undefined): Promise<Candidate[]>;
  blockDevices(pool: string | undefined): Promise<Candidate[]>;
  blockDeviceUuids(pool: string | undefined): Promise<Candidate[]>;
  /** Block devices that nothing uses. */
  freeDevices(): Promise<Candidate[]>;
  keys(): Promise<Candidate[]>;
}

/** "files": the shell is to complete the path of a file. */
export type Completion = readonly Candidate[] | "files";

const commandCandidates = (command: Command): Candidate[] =>
  (command.commands ?? [])
    .filter(({ hidden }) => hidden !== true)
    .map(({ name, help }) => ({ word: name, description: help }));

/** Options that may still be given: not those that were, nor those that one of these excludes. */
export const optionCandidates = (command: Command, given: Position["given"]): Candidate[] => {
  const excluded = new Set(
    (command.exclusive ?? [])
      .filter(({ options }) => options.some(({ name }) => given.has(name)))
      .flatMap(({ options }) => options.map(({ name }) => name)),
  );
  return optionsOf(command)
    .filter(({ name, words, hidden }) => {
      if (hidden === true || excluded.has(name)) return false;
      return words === "any" || !given.has(name);
    })
    .map(({ name, help }) => ({ word: name, description: help }));
};

const isStopped = ({ path, given }: Position): boolean =>
  given.has("--stopped") || (path.at(-1)?.name === "start" && path.at(-2)?.name === "pool");

async function liveCandidates(
  position: Position,
  { what, by }: NonNullable<Positional["source"]>,
  live: LiveNames,
): Promise<Completion> {
  const byUuid = by === "uuid";
  const pool = position.given.get("pool_name")?.at(-1);
  switch (what) {
    case "new":
      return [];
    case "file":
      return "files";
    case "key":
      return live.keys();
    case "free device": {
      const devices = await live.freeDevices();
      return devices.some(({ word }) => word.startsWith(position.word)) ? devices : "files";
    }
    case "filesystem":
      return byUuid ? live.filesystemUuids(pool) : live.filesystems(pool);
    case "block device":
      return byUuid ? live.blockDeviceUuids(pool) : live.blockDevices(pool);
    case "pool":
      if (isStopped(position)) return byUuid ? live.stoppedPoolUuids() : live.stoppedPools();
      return byUuid ? live.poolUuids() : live.pools();
  }
}

/** The rest of --columns after what has been typed. */
function columnCandidates({ path, word, given }: Position): Candidate[] {
  const { shows } = path.at(-1) ?? {};
  if (typeof shows !== "object") return [];
  const [started, stopped] = shows;
  const table = given.has("--stopped") ? (stopped ?? started) : started;
  const before = columnNames(word).slice(0, -1);
  const prefix = before.map((column) => `${column},`).join("");
  return Object.entries(table?.fields ?? {})
    .filter(([column]) => !before.includes(column))
    .map(([column, { help }]) => ({ word: prefix + column, description: help }));
}

async function valueCandidates(
  position: Position,
  value: Option | Positional,
  live: LiveNames,
): Promise<Completion> {
  if (value.name === "--columns") return columnCandidates(position);
  if (value.convert?.choices !== undefined)
    return value.convert.choices.map((word) => ({ word, description: "" }));
  if (value.source === undefined) return [];
  const found = await liveCandidates(position, value.source, live);
  if (found === "files") return found;
  const already = position.given.get(value.name) ?? [];
  return found.filter(({ word }) => !already.includes(word));
}

/** All that begins with what has been typed. */
export async function completionOf(position: Position, live: LiveNames): Promise<Completion> {
  const { path, prefix, word, value, subCommand, option, given } = position;
  const command = path.at(-1);
  if (command === undefined) return [];
  const candidates: Candidate[] = [];
  if (subCommand) candidates.push(...commandCandidates(command));
  if (value !== null) {
    const values = await valueCandidates(position, value, live);
    if (values === "files") return values;
    candidates.push(...values);
  }
  if (option) candidates.push(...optionCandidates(command, given));
  return candidates
    .filter((candidate) => candidate.word.startsWith(word))
    .map((candidate) => ({ ...candidate, word: prefix + candidate.word }));
}
