/** The program stratis-metrics: with objects that a fake puts on the bus, and with the simulator. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { openMetricsSamples as samples } from "../support/openmetrics";
import { runProgram, type Ran } from "../unit/tools/run";
import { useHarness } from "./cli-support/harness";
import { runStratis } from "./cli-support/run";
import { managedObjects, sampleObjects, variant, type Objects } from "./cli-support/world";
import { startBus } from "./support/bus";
import { startSimulated } from "./support/simulated";

const harness = useHarness();
const folder = mkdtempSync(path.join(tmpdir(), "stratis-metrics-"));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const run = (...words: string[]): Promise<Ran> =>
  runProgram("stratis-metrics", words, { DBUS_SYSTEM_BUS_ADDRESS: harness().address });

const REPORT = {
  events: { udev: 7, devicemapper: 3, timer: 12 },
  extensions: {
    data: { done: 2, failed: 1, microseconds: 1500000, longest_microseconds: 900001 },
    metadata: { done: 0, failed: 0, microseconds: 0, longest_microseconds: 0 },
    filesystem: { done: 0, failed: 0, microseconds: 0, longest_microseconds: 0 },
  },
  loop_delay_microseconds: { mean: 100, p99: 2000, longest: 1 },
  memory_bytes: { resident: 1, heap: 4096, external: 2 },
  uptime_seconds: 77,
  pools: [
    {
      uuid: "9f6cbd1f-0d4e-4a2e-a9a8-4b1a7a3b1234",
      thin_metadata: { used: 40960, size: 8388608 },
      out_of_space: false,
    },
    { uuid: "11111111-1111-4111-8111-111111111111", thin_metadata: null, out_of_space: null },
  ],
};

/** The bus has these objects, and two pools are stopped. `report`: of the daemon; null: it has none, as upstream's. */
function showing(objects: Objects, report: string | null = JSON.stringify(REPORT)): void {
  const properties: Record<string, unknown> = {
    Version: variant("s", "3.9.2"),
    StoppedPools: variant("a{sa{sv}}", { ["1".repeat(32)]: {}, ["2".repeat(32)]: {} }),
  };
  harness().fake.reset((call, member) => {
    if (member === "GetManagedObjects") return managedObjects(objects);
    if (member === "GetReport")
      return {
        signature: "sqs",
        body: report === null ? ["", 1, "Report name daemon_metrics not understood"] : [report, 0, "Ok"],
      };
    const value = properties[String(call.body[1])];
    return value === undefined ? undefined : { signature: "v", body: [value] };
  });
}

const VAULT = 'pool="vault",pool_uuid="9f6cbd1f-0d4e-4a2e-a9a8-4b1a7a3b1234"';
const DATA = 'pool="data",pool_uuid="0c2caf64-1dde-41be-b40b-ed6911f75c74"';
const WWW = 'filesystem="www",filesystem_uuid="17101e39-e72e-423c-90d8-be5cb37c055b"';

test("pools, filesystems and alerts", async () => {
  showing(sampleObjects());
  const { code, stdout, stderr } = await run();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const found = samples(stdout);
  const expected = {
    stratis_daemon_up: "1",
    'stratis_daemon_build{version="3.9.2"}': "1",
    stratis_pools: "2",
    stratis_stopped_pools: "2",
    [`stratis_pool_size_bytes{${VAULT}}`]: "2198989701120",
    [`stratis_pool_used_bytes{${VAULT}}`]: "1331691520",
    [`stratis_pool_allocated_bytes{${DATA}}`]: "60129542144",
    [`stratis_pool_no_alloc_space{${DATA}}`]: "1",
    [`stratis_pool_encrypted{${VAULT}}`]: "1",
    [`stratis_pool_cache{${VAULT}}`]: "0",
    [`stratis_pool_filesystems{${DATA}}`]: "2",
    [`stratis_pool_block_devices{${VAULT}}`]: "1",
    [`stratis_pool_filesystem_limit{${DATA}}`]: "100",
    [`stratis_pool_alert{${DATA},code="WS001",summary="All devices fully allocated"}`]: "1",
    [`stratis_pool_alert{${VAULT},code="WS001",summary="All devices fully allocated"}`]: "0",
    [`stratis_filesystem_size_bytes{${DATA},${WWW}}`]: "1099511627776",
    [`stratis_filesystem_used_bytes{${DATA},${WWW}}`]: "572522496",
    'stratis_extensions_total{what="data"}': "2",
    'stratis_failed_extensions_total{what="data"}': "1",
    'stratis_extension_time_seconds_total{what="data"}': "1.5",
    'stratis_extension_longest_seconds{what="data"}': "0.900001",
    'stratis_events_total{source="devicemapper"}': "3",
    'stratis_daemon_loop_delay_seconds{of="longest"}': "0.000001",
    stratis_daemon_heap_bytes: "4096",
    stratis_daemon_uptime_seconds: "77",
    [`stratis_pool_thin_metadata_used_bytes{${VAULT}}`]: "40960",
    [`stratis_pool_thin_metadata_size_bytes{${VAULT}}`]: "8388608",
    [`stratis_pool_out_of_space{${VAULT}}`]: "0",
  };
  for (const [sample, value] of Object.entries(expected)) assert.equal(found.get(sample), value, sample);
  // The fake is this very process.
  const memory = Number(found.get("stratis_daemon_memory_bytes"));
  assert.ok(memory > 10_000_000 && memory < 2_000_000_000, `${memory}`);
  const has = (name: string, label: string): boolean =>
    [...found.keys()].some((sample) => sample.startsWith(`${name}{`) && sample.includes(label));
  assert.ok(!has("stratis_filesystem_used_bytes", "漢字"), "what is not known has no sample");
  assert.ok(!has("stratis_filesystem_size_limit_bytes", 'filesystem="www"'));
  assert.ok(has("stratis_filesystem_size_limit_bytes", 'filesystem="www-snap"'));
});

test("every metric is on the manual page", async () => {
  showing(sampleObjects());
  const page = readFileSync("man/stratis-metrics.8", "utf8");
  const { stdout } = await run();
  for (const [, name = ""] of stdout.matchAll(/^# TYPE (\w+)/gm)) assert.ok(page.includes(name), name);
});

test("a file is replaced at once, and can be read by everybody", async () => {
  showing(sampleObjects());
  const file = path.join(folder, "stratis.prom");
  assert.deepEqual(await run(`--output=${file}`), { code: 0, stdout: "", stderr: "" });
  assert.ok(samples(readFileSync(file, "utf8")).size > 20);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(folder), ["stratis.prom"]);
});

test("without stratisd the metrics say so, and the program fails", async () => {
  const file = path.join(folder, "none.prom");
  const env = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent" };
  for (const words of [[], [`--output=${file}`]]) {
    const { code, stdout, stderr } = await runProgram("stratis-metrics", words, env);
    assert.equal(code, 1);
    assert.match(stderr, /^Error: Unable to retrieve Stratis information from the D-Bus: .*nonexistent/);
    const text = words.length === 0 ? stdout : readFileSync(file, "utf8");
    assert.deepEqual(Object.fromEntries(samples(text)), { stratis_daemon_up: "0" });
  }
});

test("a stratisd that does not report about itself, and one whose report is of another form", async () => {
  showing(sampleObjects(), null);
  const none = await run();
  assert.deepEqual({ code: none.code, stderr: none.stderr }, { code: 0, stderr: "" });
  assert.equal(samples(none.stdout).get("stratis_pools"), "2");
  assert.ok(!none.stdout.includes("stratis_events"));
  showing(sampleObjects(), "[]");
  const other = await run();
  assert.equal(other.code, 1);
  assert.match(other.stderr, /^Error: stratisd's report about itself has another form/);
});

test("stratisd sends something else", async () => {
  showing({
    "/x": { "org.storage.stratis3.pool.r9": { Uuid: variant("s", "1".repeat(32)), Name: variant("u", 1) } },
  });
  const { code, stdout, stderr } = await run();
  assert.equal(code, 1);
  assert.equal(stderr, "Error: stratisd sent 1 where a string was expected\n");
  assert.deepEqual(Object.fromEntries(samples(stdout)), { stratis_daemon_up: "0" });
});

test("a file that can't be written", async () => {
  showing(sampleObjects());
  const file = path.join(folder, "none", "stratis.prom");
  const { code, stderr } = await run(`--output=${file}`);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^Error: Could not write ${file}: `));
});

test("the command stratis prints the same, or writes it", async () => {
  showing(sampleObjects());
  const file = path.join(folder, "command.prom");
  const printed = await runStratis(harness().address, ["metrics"]);
  assert.deepEqual({ code: printed.code, stderr: printed.stderr }, { code: 0, stderr: "" });
  assert.equal(samples(printed.stdout).get("stratis_pools"), "2");
  const written = await runStratis(harness().address, ["metrics", "--output", file]);
  assert.deepEqual(written, { code: 0, stdout: "", stderr: "" });
  assert.deepEqual([...samples(readFileSync(file, "utf8")).keys()], [...samples(printed.stdout).keys()]);
  const { metrics } = JSON.parse((await runStratis(harness().address, ["metrics", "--json"])).stdout) as {
    metrics: {
      name: string;
      type: string;
      unit: string | null;
      samples: { labels: object; value: number }[];
    }[];
  };
  const pools = metrics.find(({ name }) => name === "stratis_pools");
  assert.deepEqual([pools?.type, pools?.unit, pools?.samples], ["gauge", null, [{ labels: {}, value: 2 }]]);
  const none = await runStratis("unix:path=/nonexistent", ["metrics"]);
  assert.deepEqual(
    { code: none.code, text: none.stdout.split("\n").slice(2) },
    {
      code: 1,
      text: ["stratis_daemon_up 0", "# EOF", ""],
    },
  );
  assert.match(none.stderr, /^Unable to retrieve Stratis information from the D-Bus: .*nonexistent/);
  const nowhere = await runStratis(harness().address, ["metrics", "--output", path.join(folder, "no", "x")]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^Could not write .*\/no\/x: /);
});

test("help, version, and wrong command lines", async () => {
  assert.match((await run("--help")).stdout, /Usage: stratis-metrics/);
  assert.match((await run("--version")).stdout, /^stratis-metrics \d/);
  for (const words of [["--output"], ["x"], ["--format=json"]]) assert.equal((await run(...words)).code, 2);
});

test("the simulator's pools", async () => {
  const bus = await startBus();
  const world = await startSimulated(bus);
  try {
    for (const command of [
      "pool create p1 /dev/a /dev/b",
      "filesystem create p1 home",
      "pool create p2 /dev/c",
      "pool stop --name=p2",
    ])
      assert.equal((await runStratis(bus.address, command.split(" "))).code, 0, command);
    const [pool] = world.engine.pools();
    assert.ok(pool);
    const ran = await runProgram("stratis-metrics", [], { DBUS_SYSTEM_BUS_ADDRESS: bus.address });
    assert.deepEqual({ code: ran.code, stderr: ran.stderr }, { code: 0, stderr: "" });
    const found = samples(ran.stdout);
    assert.equal(found.get("stratis_pools"), "1");
    assert.equal(found.get("stratis_stopped_pools"), "1");
    const labels = `pool="p1",pool_uuid="${pool.uuid}"`;
    assert.equal(found.get(`stratis_pool_size_bytes{${labels}}`), pool.totalPhysicalSize.toString());
    assert.equal(found.get(`stratis_pool_filesystems{${labels}}`), "1");
    assert.equal(found.get('stratis_extensions_total{what="data"}'), "0");
    assert.ok(Number(found.get("stratis_daemon_heap_bytes")) > 1_000_000);
  } finally {
    await world.end();
    await bus.stop();
  }
});
