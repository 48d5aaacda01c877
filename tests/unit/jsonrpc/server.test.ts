/**
 * The service of stratisd-min, asked by a client in another language that does what upstream's does: one sendmsg with all
 * of the request and its descriptor, one read of the answer.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { SimEngine } from "../../../src/engine/sim/engine";
import type { HistoryRecord } from "../../../src/history/record";
import { ask, askChecked, ClientError } from "../../../src/jsonrpc/client";
import { changeOf } from "../../../src/jsonrpc/history";
import { METHODS } from "../../../src/jsonrpc/methods";
import { JsonRpcServer } from "../../../src/jsonrpc/server";
import type { Logger } from "../../../src/log";

const WAIT_MS = 20_000;
const CLIENT = `
import array, json, os, socket, sys
path, steps = sys.argv[1], json.loads(sys.argv[2])
answers = []
for step in steps:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    ancillary = []
    for key in step.get("keys", []):
        reading, writing = os.pipe()
        os.write(writing, key.encode())
        os.close(writing)
        ancillary.append(reading)
    along = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", ancillary))] if ancillary else []
    parts = step["parts"]
    peer.sendmsg([parts[0].encode("utf-8", "surrogateescape")], along)
    for part in parts[1:]:
        peer.sendall(part.encode("utf-8", "surrogateescape"))
    if step.get("end"): peer.shutdown(socket.SHUT_WR)
    answers.append(peer.recv(65536).decode())
    peer.close()
    for fd in ancillary: os.close(fd)
print(json.dumps(answers))
`;
import { secretOf } from "../../support/secrets";

interface Step {
  parts: string[];
  keys?: string[];
  end?: boolean;
}

const nothing = (): void => undefined;
const quiet: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing, trace: nothing };

let folder = "";
let socket = "";
let server: JsonRpcServer;
let engine: SimEngine;

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "stratis-jsonrpc-"));
  socket = path.join(folder, "run", "socket");
  engine = new SimEngine();
  server = new JsonRpcServer({ engine, log: quiet, socket });
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const exchange = async (...steps: Step[]): Promise<string[]> => (await exchangeAt(socket, ...steps)).answers;

async function exchangeAt(
  at: string,
  ...steps: Step[]
): Promise<{ answers: string[]; pid: number | undefined }> {
  const env = { ...process.env };
  delete env["LD_PRELOAD"];
  const client = spawn("python3", ["-c", CLIENT, at, JSON.stringify(steps)], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
  let text = "";
  client.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(client, "close", { signal: AbortSignal.timeout(WAIT_MS) });
  return { answers: JSON.parse(text) as string[], pid: client.pid };
}

const request = (...parts: string[]): Step => ({ parts });

test("keys: made, the same, changed, listed, removed", async () => {
  const set = (key: string): Step => ({ parts: ['{"KeySet":"kd"}'], keys: [key] });
  assert.deepEqual(
    await exchange(
      set("a"),
      set("a"),
      set("b"),
      request('"KeyList"'),
      request('{"KeyUnset":"kd"}'),
      request('{"KeyUnset":"kd"}'),
      request('{"KeyList":null}'),
    ),
    [
      '{"Ok":{"KeySet":[false,0,"OK"]}}',
      '{"Ok":{"KeySet":[null,0,"OK"]}}',
      '{"Ok":{"KeySet":[true,0,"OK"]}}',
      '{"Ok":{"KeyList":[["kd"],0,"OK"]}}',
      '{"Ok":{"KeyUnset":[true,0,"OK"]}}',
      '{"Ok":{"KeyUnset":[false,0,"OK"]}}',
      '{"Ok":{"KeyList":[[],0,"OK"]}}',
    ],
  );
});

test("a key of 64 bytes is taken, one more is not", async () => {
  const set = (key: string): Step => ({ parts: ['{"KeySet":"long"}'], keys: [key] });
  const [whole, over] = await exchange(set("x".repeat(64)), set("y".repeat(65)));
  assert.equal(whole, '{"Ok":{"KeySet":[false,0,"OK"]}}');
  assert.equal(over, '{"Ok":{"KeySet":[null,1,"Provided key exceeded maximum allow length of 64 bytes"]}}');
  await engine.unsetKey("long");
});

test("descriptors that are missing, not wanted, or too many", async () => {
  const open = readdirSync("/proc/self/fd").length;
  assert.deepEqual(
    await exchange(
      request('{"KeySet":"kd"}'),
      { parts: ['"PoolList"'], keys: ["a"] },
      { parts: ['{"KeySet":"kd"}'], keys: ["a", "b"] },
    ),
    [
      '{"Err":"Method expected a file descriptor and did not receive one"}',
      '{"Err":"Method did not expect a file descriptor and received one anyway; file descriptor was closed"}',
      '{"Err":"Unix packet contained more than one file descriptor"}',
    ],
  );
  assert.equal(readdirSync("/proc/self/fd").length, open);
});

test("the life of an encrypted pool and a filesystem, with the bytes that upstream's programs have", async () => {
  await engine.setKey("kd", secretOf("secret"));
  const clevis = '["tang",{"url":"http://t","stratis:tang:trust_url":true}]';
  assert.deepEqual(
    await exchange(
      request(
        `{"PoolCreate":["p1",["/dev/a"],{"encryption_infos":[[1,{"KeyDesc":"kd"}],[null,{"ClevisInfo":${clevis}}]]}]}`,
      ),
      request(`{"PoolCreate":["p1",["/dev/a"],null]}`),
      request('{"FsCreate":["p1","f1"]}'),
      request('{"FsRename":["p1","f1","f2"]}'),
      request('{"FsOrigin":["p1","f2"]}'),
      request('{"FsOrigin":["p1","no"]}'),
      request('{"PoolDestroy":"p1"}'),
      request('{"FsDestroy":["p1","f2"]}'),
    ),
    [
      '{"Ok":{"PoolCreate":[true,0,"OK"]}}',
      '{"Ok":{"PoolCreate":[false,0,"OK"]}}',
      '{"Ok":{"FsCreate":[true,0,"OK"]}}',
      '{"Ok":{"FsRename":[true,0,"OK"]}}',
      '{"Ok":{"FsOrigin":[null,0,"OK"]}}',
      '{"Ok":{"FsOrigin":[null,1,"No filesystem named no found"]}}',
      '{"Ok":{"PoolDestroy":[false,1,"filesystems remaining on pool"]}}',
      '{"Ok":{"FsDestroy":[true,0,"OK"]}}',
    ],
  );
  const [pool] = engine.pools();
  assert.ok(pool);
  const id = JSON.stringify({ Uuid: pool.uuid.toUpperCase() });
  const answers = await exchange(
    request('"PoolList"'),
    request(`{"PoolIsEncrypted":{"Name":"p1"}}`),
    request(`{"PoolHasPassphrase":${id}}`),
    request(`{"PoolIsBound":${id}}`),
    request(`{"PoolIsStopped":${id}}`),
    request(`{"PoolStop":${id}}`),
    request(`{"PoolIsStopped":{"Name":"p1"}}`),
    request(`{"PoolIsEncrypted":${id}}`),
    request(`{"PoolStart":[${id},"None"]}`),
    { parts: [`{"PoolStart":[${id},{"Token":1}]}`], keys: ["secret"] },
    request(`{"PoolStart":[${id},"Any"]}`),
    request('{"PoolRename":["p1","p2"]}'),
    request('{"PoolDestroy":"p2"}'),
    request(`{"PoolIsStopped":${id}}`),
    request(`{"PoolIsBound":{"Name":"p2"}}`),
  );
  const uuid = pool.uuid;
  assert.deepEqual(answers, [
    `{"Ok":{"PoolList":[["p1"],[[590295810358705651712,0]],[[false,true]],["${uuid}"]]}}`,
    '{"Ok":{"PoolIsEncrypted":[true,0,"OK"]}}',
    '{"Ok":{"PoolHasPassphrase":[true,0,"OK"]}}',
    '{"Ok":{"PoolIsBound":[true,0,"OK"]}}',
    '{"Ok":{"PoolIsStopped":[false,0,"OK"]}}',
    '{"Ok":{"PoolStop":[true,0,"OK"]}}',
    '{"Ok":{"PoolIsStopped":[true,0,"OK"]}}',
    '{"Ok":{"PoolIsEncrypted":[true,0,"OK"]}}',
    `{"Ok":{"PoolStart":[false,1,"Pool \\"p1\\" with UUID ${uuid} is encrypted but no unlock method was provided"]}}`,
    '{"Ok":{"PoolStart":[true,0,"OK"]}}',
    '{"Ok":{"PoolStart":[false,0,"OK"]}}',
    '{"Ok":{"PoolRename":[true,0,"OK"]}}',
    '{"Ok":{"PoolDestroy":[true,0,"OK"]}}',
    `{"Ok":{"PoolIsStopped":[false,1,"Pool with UUID ${uuid} not found"]}}`,
    '{"Ok":{"PoolIsBound":[false,1,"Could not find pool with name p2"]}}',
  ]);
});

test("a request may come in pieces, and without or with an end of the stream", async () => {
  const [cut, half] = await exchange(request('{"Key', 'Unset":', '"\u00e9"}'), {
    parts: ['"PoolList"'],
    end: true,
  });
  assert.equal(cut, '{"Ok":{"KeyUnset":[false,0,"OK"]}}');
  assert.equal(half, '{"Ok":{"PoolList":[[],[],[],[]]}}');
});

test("what is no request is told what is wrong with it", async () => {
  const answers = await exchange(
    { parts: ['{"PoolList'], end: true },
    request('"NoSuch"'),
    request("[]"),
    request('{"FsCreate":["p1"]}'),
    request('{"FsCreate":["p1",7]}'),
    request('{"PoolIsStopped":{"Uuid":"x"}}'),
    request('{"PoolStart":[{"Name":"p"},{"Token":4294967296}]}'),
    request('{"PoolCreate":["p",[],{"encryption_infos":[[1,"Magic"]]}]}'),
    request('{"PoolCreate":["p",[],5]}'),
  );
  assert.deepEqual(answers, [
    '{"Err":"The request (10 bytes) is not valid JSON"}',
    '{"Err":"There is no request \\"NoSuch\\""}',
    '{"Err":"The request is not a name, or an object with one member"}',
    '{"Err":"The argument is not an array of 2"}',
    '{"Err":"The argument[1] is not a string"}',
    '{"Err":"Uuid error: \\"x\\" is not a UUID"}',
    '{"Err":"The argument[1] is not a whole number of 32 bits"}',
    '{"Err":"The argument[2] is not \\"KeyDesc\\" or \\"ClevisInfo\\""}',
    '{"Err":"The argument[2].encryption_infos is not an array"}',
  ]);
});

test("a request without end is refused", async () => {
  const [answer] = await exchange({ parts: [`{"KeyUnset":"${"x".repeat(70_000)}"}`] });
  assert.equal(answer, '{"Ok":{"KeyUnset":[false,0,"OK"]}}', "more than upstream's programs read");
  await assert.rejects(ask("KeyUnset", "x".repeat(2 ** 21), { socket }), ClientError);
});

test("our client: an answer longer than a socket holds, and errors in the daemon's words", async () => {
  const result = await engine.createPool({
    name: "many",
    devices: Array.from({ length: 4000 }, (_, index) => `/dev/disk/by-id/a-long-name-of-a-device-${index}`),
    encryption: { keys: [], clevis: [] },
    integrity: {},
  });
  assert.equal(result.action, "created");
  const report = (await ask("Report", undefined, { socket })) as { pools: { name: string }[] };
  assert.deepEqual(
    report.pools.map(({ name }) => name),
    ["many"],
  );
  assert.equal(await askChecked("PoolIsStopped", { Name: "many" }, { socket }), false);
  await assert.rejects(askChecked("PoolIsStopped", { Name: "no" }, { socket }), {
    name: "ClientError",
    message: "Could not find pool with name no",
  });
  await assert.rejects(ask("Report", undefined, { socket: path.join(folder, "none") }), {
    message: "IO error: No such file or directory (os error 2)",
  });
});

test("the socket is its owner's alone, and takes the place of one that was left", () => {
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const other = path.join(folder, "other");
  writeFileSync(other, "left");
  const second = new JsonRpcServer({ engine, log: quiet, socket: other });
  assert.ok(statSync(other).isSocket());
  second.close();
  assert.throws(() => statSync(other), { code: "ENOENT" });
});

test("what was asked to be changed is in the history, with who asked", async () => {
  const records: HistoryRecord[] = [];
  const otherSocket = path.join(folder, "history", "socket");
  const world = new SimEngine();
  const recording = new JsonRpcServer({
    engine: world,
    log: quiet,
    socket: otherSocket,
    history: (record) => records.push(record),
  });
  const asked: [object | string, string?][] = [
    [{ PoolCreate: ["p1", ["/dev/a"], null] }],
    [{ FsCreate: ["p1", "f1"] }],
    [{ FsRename: ["p1", "f1", "f1"] }],
    [{ PoolDestroy: "p1" }],
    ["PoolList"],
    [{ PoolIsStopped: { Name: "p1" } }],
    [{ KeySet: "kd" }, "secret"],
    [{ KeySet: "kd" }, "secret"],
    [{ PoolStop: { Uuid: "17101e39-e72e-423c-90d8-be5cb37c055b" } }],
  ];
  const steps = asked.map(([value, key]) => ({
    parts: [JSON.stringify(value)],
    ...(key === undefined ? {} : { keys: [key] }),
  }));
  const client = await exchangeAt(otherSocket, ...steps);
  assert.equal(client.answers.length, asked.length);
  recording.close();
  const uuid = world.pools()[0]?.uuid;
  assert.ok(uuid !== undefined);
  assert.deepEqual(
    records.map(({ operation, object, poolUuid, result }) => [operation, object, poolUuid, result]),
    [
      ["PoolCreate", "pool p1, block device /dev/a", uuid, "ok"],
      ["FsCreate", "filesystem f1 in pool p1", uuid, "ok"],
      ["FsRename", "filesystem f1 in pool p1, to f1", uuid, "unchanged"],
      ["PoolDestroy", "pool p1", uuid, "failed"],
      ["KeySet", "key kd", null, "ok"],
      ["KeySet", "key kd", null, "unchanged"],
      [
        "PoolStop",
        "pool 17101e39-e72e-423c-90d8-be5cb37c055b",
        "17101e39-e72e-423c-90d8-be5cb37c055b",
        "failed",
      ],
    ],
  );
  for (const { uid, pid, command, left } of records) {
    assert.deepEqual([uid, pid, left], [process.getuid?.(), client.pid, false]);
    assert.match(command ?? "", /^python/);
  }
  assert.ok(!JSON.stringify(records).includes("secret"));
});

test("every request is one that only asks, or one that the history has", () => {
  const questions = /^(KeyList|PoolList|FsList|FsOrigin|Report|PoolIs\w+|PoolHasPassphrase)$/;
  const values: Record<string, unknown> = {
    PoolStop: { Name: "p" },
    KeySet: "k",
    KeyUnset: "k",
    PoolDestroy: "p",
  };
  for (const name of METHODS.keys()) {
    const value = values[name] ?? (/^Pool(Start|.*[Bb]ind)/.test(name) ? [{ Name: "p" }] : ["p", ["/dev/a"]]);
    assert.equal(changeOf(engine, name, value) === null, questions.test(name), name);
  }
});
