/** What is on the bus for each operation on real disks, laid beside what stratisd 3.9.2 put there. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemBusAddress } from "../../../cli/bus-address";
import { comparable, type Event, type Operation } from "../../compat/trace/events";
import { runOperations, type Devices } from "../../compat/trace/operations";
import { readRecording } from "../../compat/trace/recording";
import { Tracer } from "../../compat/trace/tracer";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { unmountAll } from "./support";

const RECORDED_DEVICES: Devices = ["/dev/vdb", "/dev/vdc", "/dev/vdd"];
/** What background checks change: when they do is chance. */
const BACKGROUND = new Set(["TotalPhysicalUsed", "AllocatedSize", "NoAllocSpace", "Used"]);
/** Values that depend on the disks. */
const SIZES = new Set(["TotalPhysicalSize", "NewPhysicalSize", "Size"]);

/** Devices by their part in the operations, texts of refusals left out: they are for people, and ours say more. */
function essential(event: Event, devices: Devices): Event[] {
  const named = devices.reduce(
    (text, device, index) => text.replaceAll(`"${device}"`, `"device ${index}"`),
    JSON.stringify(event),
  );
  const changed = JSON.parse(named) as Event;
  if ("error" in changed) return [{ ...changed, text: "" }];
  if ("reply" in changed) {
    const body = changed.reply as unknown[];
    const code = body.at(-2);
    return [typeof code === "number" && code !== 0 ? { reply: [...body.slice(0, -1), ""] } : changed];
  }
  if (!("changed" in changed)) return [changed];
  const values = Object.entries(changed.values).filter(([name]) => !BACKGROUND.has(name));
  if (values.length === 0 && changed.invalidated.length === 0) return [];
  return [
    {
      ...changed,
      values: Object.fromEntries(values.map(([name, value]) => [name, SIZES.has(name) ? "" : value])),
    },
  ];
}

/** Filesystems whose links have another name are told of in no order. */
function linksInOrder(events: readonly Event[]): Event[] {
  const isLink = (event: Event): boolean => "changed" in event && event.invalidated.includes("Devnode");
  const text = (event: Event): string => ("changed" in event ? `${event.changed} ${event.interface}` : "");
  const links = events.filter(isLink).sort((a, b) => text(a).localeCompare(text(b)));
  return events.map((event) => (isLink(event) ? (links.shift() ?? event) : event));
}

const essentials = (operations: readonly Operation[], devices: Devices): Operation[] =>
  comparable(
    operations.map(({ name, events }) => ({
      name,
      events: linksInOrder(events.flatMap((event) => essential(event, devices))),
    })),
  );

const recording = essentials(readRecording("real"), RECORDED_DEVICES);
let trace: Operation[] = [];

before(async () => {
  const [data, added, cache] = [await disk("d0"), await disk("d1"), await disk("d2")];
  for (const path of [data, added, cache]) await wipeDisk(path);
  await startDaemon();
  const tracer = await Tracer.open(systemBusAddress(process.env));
  try {
    await runOperations(tracer, { devices: [data, added, cache], noted: "added" });
  } finally {
    tracer.close();
  }
  trace = essentials(tracer.operations, [data, added, cache]);
});
after(async () => {
  await unmountAll();
  await stopDaemon();
});

test("the operations are those of the recording", () => {
  assert.deepEqual(
    trace.map(({ name }) => name),
    recording.map(({ name }) => name),
  );
});
/** Clients explain only the other name of a refused Set to their user (dbus-api.md §21, trap 2). */
const argued = ({ name, events }: Operation): Event[] =>
  events.map((event) =>
    name.endsWith("(refused)") && "error" in event
      ? { ...event, error: "org.freedesktop.zbus.Error" }
      : event,
  );

for (const [index, operation] of recording.entries())
  test(operation.name, () => {
    assert.deepEqual(trace[index]?.events, argued(operation));
  });
