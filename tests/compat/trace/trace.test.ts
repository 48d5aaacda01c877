/** What is on the bus for each operation, laid beside what stratisd 3.9.2 put there with its simulator. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { before, test } from "node:test";
import { spawnIsolated } from "../isolated";
import { comparable, type Event, type Operation } from "./events";
import { readRecording } from "./recording";

const RECORD_TIMEOUT_MS = 120_000;

/** Where we differ on purpose: the recorded error, and ours. */
const ARGUED: Readonly<Record<string, { recorded: Event; ours: Event }>> = {
  // Released clients explain only this error name to their user when the daemon refuses to set a property, and show a
  // stack trace for the other (dbus-api.md §21, trap 2). The words are the engine's own, for sizes as for limits.
  "Properties.Set filesystem.r9 SizeLimit below size (refused)": {
    recorded: {
      error: "org.freedesktop.DBus.Error.Failed",
      text: "Requested size or size_limit of filesystem a is 2048 sectors which is less than minimum required: 1048576 sectors",
    },
    ours: {
      error: "org.freedesktop.zbus.Error",
      text: "Filesystem size limit of 1048576 bytes is less than the minimum of 536870912 bytes",
    },
  },
  // The same, and then which type it is and which was expected.
  "Properties.Set pool.r9 Overprovisioning wrong type": {
    recorded: { error: "org.freedesktop.zbus.Error", text: "incorrect type" },
    ours: {
      error: "org.freedesktop.zbus.Error",
      text: "incorrect type: property Overprovisioning is of type b, not u",
    },
  },
};

/** The recorded events, with those replaced that we differ in on purpose. Throws when one was never recorded. */
function expected({ name, events }: Operation): Event[] {
  const difference = ARGUED[name];
  if (difference === undefined) return [...events];
  const recorded = JSON.stringify(difference.recorded);
  const place = events.findIndex((event) => JSON.stringify(event) === recorded);
  assert.ok(place >= 0, `the recording lacks ${recorded}`);
  return events.with(place, difference.ours);
}

async function runRecorder(): Promise<Operation[]> {
  const [lane, recorder] = [join(__dirname, "../lane.js"), join(__dirname, "record.js")];
  const child = spawnIsolated([process.execPath, lane, process.execPath, recorder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.ok(child.stdout !== null && child.stderr !== null);
  const timer = setTimeout(() => child.kill("SIGKILL"), RECORD_TIMEOUT_MS);
  const [output, complaints, end] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  clearTimeout(timer);
  assert.deepEqual(end, [0, null], `the recorder failed: ${complaints}`);
  return JSON.parse(output) as Operation[];
}

const recording = comparable(readRecording());
let trace: Operation[] = [];
before(async () => {
  trace = comparable(await runRecorder());
});

test("the operations are those of the recording", () => {
  assert.deepEqual(
    trace.map(({ name }) => name),
    recording.map(({ name }) => name),
  );
});
for (const [index, operation] of recording.entries())
  test(operation.name, () => {
    assert.deepEqual(trace[index]?.events, expected(operation));
  });
