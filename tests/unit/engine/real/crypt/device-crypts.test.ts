/** A re-encryption of several devices, one after the other, with what an interruption leaves of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceCrypt } from "../../../../../src/engine/real/crypt/device-crypt";
import { DeviceCrypts } from "../../../../../src/engine/real/crypt/device-crypts";
import { sectors } from "../../../../../src/units";

const SECTORS = 100n;
const BYTES = SECTORS * 512n;

/** Works in two steps; `marked`: of a re-encryption that is not pending. */
class Device {
  runs = 0;
  settled = 0;
  stops = false;
  constructor(
    readonly container: string,
    public pending: "reencrypt" | null,
    public outcome: { done: true } | { done: false; added: number[] } | null = null,
  ) {}
  readonly tokens = [];
  room = (): Promise<bigint> => Promise.resolve(sectors(SECTORS));
  refresh = (): Promise<boolean> => Promise.resolve(true);
  runPending: DeviceCrypt["runPending"] = (_passphrase, onProgress) => {
    this.runs += 1;
    onProgress(BYTES / 2n, BYTES);
    if (this.stops) return Promise.resolve("stopped");
    onProgress(BYTES, BYTES);
    this.pending = null;
    this.outcome = { done: true };
    return Promise.resolve("finished");
  };
  settleMark = (): Promise<boolean> => {
    this.settled += 1;
    this.outcome = null;
    return Promise.resolve(true);
  };
}
const all = (...devices: Device[]): DeviceCrypts => new DeviceCrypts(devices as unknown as DeviceCrypt[]);
const nothing = (): void => undefined;

test("device after device, with the progress of all", async () => {
  const devices = [new Device("a", "reencrypt"), new Device("b", "reencrypt")];
  const layer = all(...devices);
  assert.equal(layer.pending, "reencrypt");
  const reports: [bigint, bigint][] = [];
  const report = (done: bigint, total: bigint): void => {
    reports.push([done, total]);
  };
  assert.equal(await layer.runPending(null, report, nothing), "finished");
  assert.deepEqual(
    reports.map(([done, total]) => [Number(done) / Number(BYTES), Number(total) / Number(BYTES)]),
    [
      [0.5, 2],
      [1, 2],
      [1.5, 2],
      [2, 2],
    ],
  );
  assert.equal(layer.pending, null);
});

test("stopped in the first device, the second one is not begun; resumed, what is done is not done again", async () => {
  const [first, second] = [new Device("a", "reencrypt"), new Device("b", "reencrypt")];
  first.stops = true;
  assert.equal(await all(first, second).runPending(null, nothing, nothing), "stopped");
  assert.deepEqual([first.runs, second.runs], [1, 0]);
  first.stops = false;
  await all(first, second).runPending(null, nothing, nothing);
  const reports: bigint[] = [];
  second.pending = "reencrypt";
  await all(first, second).runPending(null, (done) => reports.push(done), nothing);
  assert.deepEqual([first.runs, second.runs], [2, 2]);
  assert.deepEqual(reports, [(BYTES * 3n) / 2n, BYTES * 2n], "the first one counts as done");
});

test("while one is pending no mark goes; then the end is recorded before the first one does", async () => {
  const [first, second] = [new Device("a", null, { done: true }), new Device("b", "reencrypt")];
  let recorded = 0;
  const record = (): Promise<void> => {
    assert.deepEqual([first.settled, second.settled], [0, 0]);
    recorded += 1;
    return Promise.resolve();
  };
  assert.equal(await all(first, second).settleMark(record), false);
  assert.deepEqual([recorded, first.settled], [0, 0]);
  await all(first, second).runPending(null, nothing, nothing);
  assert.equal(await all(first, second).settleMark(record), true);
  assert.deepEqual([recorded, first.settled, second.settled], [1, 1, 1]);
});

test("interrupted while the marks were removed, it is recorded again; one that never began is not", async () => {
  let recorded = 0;
  const record = (): Promise<void> => {
    recorded += 1;
    return Promise.resolve();
  };
  assert.equal(
    await all(new Device("a", null), new Device("b", null, { done: true })).settleMark(record),
    true,
  );
  assert.equal(recorded, 1);
  const begun = [new Device("a", null, { done: false, added: [2] }), new Device("b", null)];
  assert.equal(await all(...begun).settleMark(record), false);
  assert.equal(recorded, 1);
  assert.equal(begun[0]?.settled, 1, "what was prepared for it is taken back");
});
