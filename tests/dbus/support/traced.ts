/** Calls of the service over an engine in memory, and what was received until each of their replies. */
import { afterEach, beforeEach } from "node:test";
import { BASE_PATH, BUS_NAME } from "../../../src/dbus/names";
import { plain, type CallOptions } from "./client";
import { allRevisions, startWorld, summary, type World } from "./world";

export const at = (number: number): string => `${BASE_PATH}/${number}`;
/** One for each revision. */
const eachRevision = (what: string, number: number, kind: string): string[] =>
  allRevisions(kind)
    .split(" ")
    .map((name) => `${what} ${at(number)} ${name}`);
export const added = (number: number, kind: string): string[] => eachRevision("added", number, kind);
export const removed = (number: number, kind: string): string[] => eachRevision("removed", number, kind);

/** Of the test that runs: see useWorlds(). */
export let world: World;

/** Each test of the file gets a world of its own. */
export function useWorlds(): void {
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.end());
}

/** The reply's body, and everything that was received from the call up to and with it. */
export async function traced(
  member: string,
  options: CallOptions,
): Promise<{ body: unknown[]; trace: string[] }> {
  world.client.take();
  const body = await world.client.call(member, options);
  return { body: plain(body) as unknown[], trace: world.client.take().map(summary) };
}

export const manager = (revision: number, signature: string, ...body: unknown[]): CallOptions => ({
  interface: `${BUS_NAME}.Manager.r${revision}`,
  signature,
  body,
});
export const on = (
  kind: string,
  number: number,
  revision: number,
  signature: string,
  ...body: unknown[]
) => ({
  path: at(number),
  interface: `${BUS_NAME}.${kind}.r${revision}`,
  signature,
  body,
});

export const CREATE_R9 = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
export const createPool = (name: string, devices: string[], keys: unknown[] = [], clevis: unknown[] = []) =>
  traced(
    "CreatePool",
    manager(9, CREATE_R9, name, devices, keys, clevis, [false, 0n], [false, ""], [false, false]),
  );
export const createFilesystem = (pool: number, name: string) =>
  traced(
    "CreateFilesystems",
    on("pool", pool, 9, "a(s(bs)(bs))", [[name, [true, "1073741824"], [false, ""]]]),
  );
