/** `stratis doctor` on lines of /etc/fstab beside how their pools are unlocked, with the simulator. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { EncryptionRequest, Pool } from "../../src/engine/engine";
import { PLAIN, TANG } from "../unit/engine/sim/support";
import { FakeMachine } from "./cli-support/machine";
import { runStratis } from "./cli-support/run";
import { secretOf } from "../support/secrets";
import { startBus, type PrivateBus } from "./support/bus";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";

let bus: PrivateBus;
let world: Simulated;
let machine: FakeMachine;
before(async () => {
  bus = await startBus();
  world = await startSimulated(bus);
  machine = await FakeMachine.make();
  await world.engine.setKey("k", secretOf("secret"));
});
after(async () => {
  await machine.end();
  await world.end();
  await bus.stop();
});

const KEY: EncryptionRequest = { keys: [{ slot: null, description: "k" }], clevis: [] };
const clevis = (...pins: [pin: string, config: string][]): EncryptionRequest => ({
  keys: [],
  clevis: pins.map(([pin, config]) => ({ slot: null, pin, config })),
});
const TPM2 = clevis(["tpm2", "{}"]);
const shares = (threshold: number): EncryptionRequest =>
  clevis(["sss", JSON.stringify({ t: threshold, pins: { tang: [{ url: "x" }], tpm2: {} } })]);

/** A pool with a filesystem "fs". */
async function poolWith(name: string, { keys, clevis: bindings }: EncryptionRequest): Promise<Pool> {
  const anySlot = [false, 0];
  const created = await world.client.call("CreatePool", {
    interface: nameOf("Manager", 9),
    signature: "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    body: [
      name,
      [`/dev/${name}`],
      keys.map(({ description }) => [anySlot, description]),
      bindings.map(({ pin, config }) => [anySlot, pin, config]),
      [false, 0n],
      [false, ""],
      [false, false],
    ],
  });
  const [[, [path]]] = created as [[boolean, [string, string[]]]];
  const body = [[["fs", [false, ""], [false, ""]]]];
  const call = { path, interface: nameOf("pool", 9), signature: "a(s(bs)(bs))", body };
  await world.client.call("CreateFilesystems", call);
  const pool = world.engine.pools().find((candidate) => candidate.name === name);
  assert.ok(pool !== undefined);
  return pool;
}

type Unit = "early" | "network" | "daemon";
const OPTIONS: Record<Unit, (uuid: string) => string> = {
  early: (uuid) => `x-systemd.requires=stratis-fstab-setup@${uuid}.service,nofail`,
  network: (uuid) => `_netdev,x-systemd.requires=stratis-fstab-setup-with-network@${uuid}.service,nofail`,
  daemon: () => "x-systemd.after=stratisd.service,nofail",
};

interface Finding {
  readonly level: string;
  readonly message: string;
  readonly advice: string | null;
}

/** What is found about a line of /etc/fstab for each kind of unit, without what is in order. */
async function findings(pool: Pool): Promise<Record<Unit, Finding[]>> {
  const units = Object.keys(OPTIONS) as Unit[];
  const lines = units.map(
    (unit) => `/dev/stratis/${pool.name}/fs /${unit} xfs ${OPTIONS[unit](pool.uuid)} 0 0\n`,
  );
  await machine.file("etc/fstab", lines.join(""));
  const { stdout, stderr } = await runStratis(bus.address, ["doctor", "--root", machine.root, "--json"]);
  assert.equal(stderr, "");
  const found = (JSON.parse(stdout) as { findings: (Finding & { check: string })[] }).findings
    .filter(({ check, level }) => check === "fstab" && level !== "ok")
    .filter(({ message }) => !message.endsWith("which is stopped"));
  const about = (unit: Unit): Finding[] => found.filter(({ message }) => message.includes(`(/${unit})`));
  return { early: about("early"), network: about("network"), daemon: about("daemon") };
}

/** Level of what is found about a unit that does not fit, "" for none. */
async function levels(pool: Pool): Promise<string[]> {
  const { early, network, daemon } = await findings(pool);
  const expected: [Finding[], RegExp][] = [
    [early, /does not wait for the network, by which its pool is unlocked/],
    [network, /and so waits for the network, which nothing that unlocks its pool needs/],
    [daemon, /waits only for stratisd\.service, which does not unlock the encrypted pool by itself/],
  ];
  return expected.map(([found, message]) => {
    assert.ok(found.length <= 1, JSON.stringify(found));
    for (const finding of found) assert.match(finding.message, message);
    return found[0]?.level ?? "";
  });
}

test("running pools: the unit that waits for the network, and the one that does not", async () => {
  const cases: [name: string, encryption: EncryptionRequest, levels: string[]][] = [
    ["plain", PLAIN, ["", "note", ""]],
    ["key", KEY, ["", "note", "warning"]],
    ["tpm2", TPM2, ["", "note", "warning"]],
    ["tang", TANG, ["error", "", "warning"]],
    ["tangkey", { ...TANG, keys: KEY.keys }, ["warning", "", "warning"]],
    ["both", clevis(["tpm2", "{}"], ["tang", '{"url":"x"}']), ["", "", "warning"]],
    ["anyshare", shares(1), ["", "note", "warning"]],
    ["allshares", shares(2), ["error", "", "warning"]],
  ];
  for (const [name, encryption, expected] of cases)
    assert.deepEqual(await levels(await poolWith(name, encryption)), expected, name);
});

test("stopped pools tell whether there are bindings, but not what they need", async () => {
  const cases: [name: string, encryption: EncryptionRequest, levels: string[]][] = [
    ["stoppedplain", PLAIN, ["", "note", ""]],
    ["stoppedkey", KEY, ["", "note", "warning"]],
    ["stoppedtang", TANG, ["", "", "warning"]],
  ];
  for (const [name, encryption, expected] of cases) {
    const pool = await poolWith(name, encryption);
    const call = { interface: nameOf("Manager", 9), signature: "ss", body: [name, "name"] };
    await world.client.call("StopPool", call);
    assert.deepEqual(await levels(pool), expected, name);
  }
});

test("what to write instead", async () => {
  const pool = await poolWith("advised", TANG);
  const { early, daemon } = await findings(pool);
  const advice = `Write _netdev,x-systemd.requires=stratis-fstab-setup-with-network@${pool.uuid}.service instead.`;
  assert.deepEqual([early[0]?.advice, daemon[0]?.advice], [advice, advice]);
  const { network } = await findings(await poolWith("notadvised", KEY));
  assert.match(
    network[0]?.advice ?? "",
    /^Write x-systemd\.requires=stratis-fstab-setup@\S+ instead, without/,
  );
});
