/** One bus and one fake stratisd for all tests of a file. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { startBus, type PrivateBus } from "../support/bus";
import { FakeStratisd, type Answer, type RecordedCall } from "./fake";
import { runStratis, type Ran } from "./run";
import { managedObjects, ok, sampleObjects, stopped, stoppedPools, type Objects } from "./world";

/** What the fake answers beyond the sample: by method, or for properties by "Get NAME" and "Set NAME". */
export type Answers = Record<string, Answer | ((call: RecordedCall) => Answer)>;

export interface World {
  readonly objects: Objects;
  readonly answers: Answers;
}

export interface Harness {
  readonly address: string;
  readonly fake: FakeStratisd;
  /** Runs the command against the world. */
  run(
    words: readonly string[],
    world?: Partial<World>,
    env?: Record<string, string>,
    input?: string,
  ): Promise<Ran>;
  /** As run, and the command must succeed in silence. Returns the calls after the version check. */
  callsOf(words: readonly string[], world?: Partial<World>): Promise<RecordedCall[]>;
  /** As run, and the command must print `stdout` only. */
  prints(words: readonly string[], stdout: string, world?: Partial<World>): Promise<void>;
  /** As run, and the command must fail with code 1, nothing on standard output, and `phrase` on standard error. */
  fails(words: readonly string[], phrase: string, world?: Partial<World>): Promise<RecordedCall[]>;
}

function answerOf(call: RecordedCall, member: string, { objects, answers }: World): Answer | undefined {
  const key = member === "Get" || member === "Set" ? `${member} ${String(call.body[1])}` : member;
  const own = answers[key];
  if (own !== undefined) return typeof own === "function" ? own(call) : own;
  switch (key) {
    case "GetManagedObjects":
      return managedObjects(objects);
    case "Get StoppedPools":
      return stopped(stoppedPools());
    case "ListKeys":
      return ok("as", ["k1", "a2"]);
    default:
      return member === "Set" ? { signature: "", body: [] } : undefined;
  }
}

/** To be called once at the top of a test file. */
export function useHarness(): () => Harness {
  let bus: PrivateBus | undefined;
  let harness: Harness | undefined;
  before(async () => {
    bus = await startBus();
    harness = harnessOf(bus.address, await FakeStratisd.start(bus.address));
  });
  after(async () => {
    harness?.fake.stop();
    await bus?.stop();
  });
  return () => {
    assert.ok(harness !== undefined, "the bus has not been started");
    return harness;
  };
}

function harnessOf(address: string, fake: FakeStratisd): Harness {
  const run: Harness["run"] = async (words, world = {}, env = {}, input = "") => {
    const { objects = sampleObjects(), answers = {} } = world;
    fake.reset((call, member) => answerOf(call, member, { objects, answers }));
    return runStratis(address, words, env, input);
  };
  return {
    address,
    fake,
    run,
    callsOf: async (words, world) => {
      assert.deepEqual(await run(words, world), { code: 0, stdout: "", stderr: "" }, words.join(" "));
      assert.equal(fake.versionChecks, 1);
      return [...fake.calls];
    },
    prints: async (words, stdout, world) => {
      const ran = await run(words, world);
      assert.equal(ran.stderr, "");
      assert.equal(ran.stdout, stdout);
      assert.equal(ran.code, 0);
    },
    fails: async (words, phrase, world) => {
      const { code, stdout, stderr } = await run(words, world);
      assert.equal(stdout, "", words.join(" "));
      assert.ok(stderr.includes(phrase), `${words.join(" ")}: "${phrase}" is not in:\n${stderr}`);
      assert.equal(code, 1);
      return [...fake.calls];
    },
  };
}
