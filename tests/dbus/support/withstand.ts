/** The service while another client floods it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { OBJECT_MANAGER, PROPERTIES } from "../../../src/dbus/names";
import { startBus } from "./bus";
import { DaemonProcess } from "./daemon-process";
import { startFlood } from "./flooder";
import { populate, POOL, POOL_R9 } from "./populate";
import { RawClient, type RawCall } from "./raw-client";

const FILESYSTEMS = 9;
const ANSWER_MS = 1000;
/** On a machine that is busy with other things: as many times as long as the slowest answer before the flood. */
const ANSWER_FACTOR = 10;
const CALM_MS = 1000;
/** For what was waiting to be dealt with, and for memory to come to rest. */
const REST_MS = 15_000;
/** What the service may have at most, and what it may have more than before afterwards. */
const MOST_BYTES = 256e6;
const MORE_BYTES = 80e6;

/** What an administrator does: each of these has to be answered in time. */
async function work(client: RawClient, round: number): Promise<number> {
  let longest = 0;
  const call = async (member: string, options: RawCall): Promise<unknown[]> => {
    const started = performance.now();
    const body = await client.callForBody(member, options);
    longest = Math.max(longest, performance.now() - started);
    return body;
  };
  const onPool = (member: string, signature: string, body: unknown[]): Promise<unknown[]> =>
    call(member, { path: POOL, interface: POOL_R9, signature, body });
  const [name] = await call("Get", {
    path: POOL,
    interface: PROPERTIES,
    signature: "ss",
    body: [POOL_R9, "Name"],
  });
  assert.ok(name);
  const created = await onPool("CreateFilesystems", "a(s(bs)(bs))", [
    [[`round-${round}`, [false, ""], [false, ""]]],
  ]);
  const [[, [made]], code, text] = created as [[boolean, [string, string][]], number, string];
  assert.deepEqual([code, text], [0, "Ok"]);
  await call("GetManagedObjects", { interface: OBJECT_MANAGER });
  const [, destroyed] = await onPool("DestroyFilesystems", "ao", [[made?.[0]]]);
  assert.equal(destroyed, 0);
  return longest;
}

/** Works for so long; returns the longest time that an answer took, in milliseconds. */
async function workFor(
  client: RawClient,
  milliseconds: number,
): Promise<{ longest: number; rounds: number }> {
  const end = performance.now() + milliseconds;
  let longest = 0;
  let rounds = 0;
  for (; performance.now() < end; rounds++) longest = Math.max(longest, await work(client, rounds));
  return { longest, rounds };
}

/** Floods the service for so long. Fails unless another client is served in time and the service is itself after. */
export async function withstandsFlood(t: TestContext, seconds: number): Promise<void> {
  const bus = await startBus();
  t.after(() => bus.stop());
  const daemon = await DaemonProcess.start(bus.address);
  t.after(() => daemon.stop());
  const client = await RawClient.connect(bus.address);
  t.after(() => {
    client.close();
  });
  await populate(client, { filesystems: FILESYSTEMS });
  const calm = await workFor(client, CALM_MS);
  const before = { descriptors: daemon.descriptors, bytes: daemon.resident("now") };
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

  const flood = await startFlood(bus.address);
  const { longest, rounds } = await workFor(client, seconds * 1000);
  const sent = await flood.stop();
  t.diagnostic(
    `${sent} messages of the flood; beside them ${rounds} rounds of work, the slowest answer after ` +
      `${longest.toFixed(0)} ms, and after ${calm.longest.toFixed(0)} ms before the flood`,
  );
  assert.ok(sent > 100 * seconds, `only ${sent} messages were sent`);
  const allowed = Math.max(ANSWER_MS, ANSWER_FACTOR * calm.longest);
  assert.ok(longest < allowed, `an answer took ${longest.toFixed(0)} ms`);
  assert.ok(daemon.isRunning);
  assert.ok(daemon.resident("most") < MOST_BYTES);

  const rested = (): boolean =>
    daemon.descriptors === before.descriptors && daemon.resident("now") < before.bytes + MORE_BYTES;
  const late = performance.now() + REST_MS;
  while (!rested() && performance.now() < late) await sleep(100);
  t.diagnostic(
    `memory: ${megabytes(before.bytes)} before, at most ${megabytes(daemon.resident("most"))}, ` +
      `${megabytes(daemon.resident("now"))} after`,
  );
  assert.equal(daemon.descriptors, before.descriptors);
  assert.ok(daemon.resident("now") < before.bytes + MORE_BYTES);
  await work(client, -1);
}
