/** What a lane tells of tests that end in every way there is: a few of our own, in a checkout of our own. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { dealOut, runLane } from "./lanes";

const sources = mkdtempSync(join(tmpdir(), "stratis-compat-"));
after(() => {
  rmSync(sources, { recursive: true });
});

const SAMPLE = `
import os, unittest

class Sample(unittest.TestCase):
    def test_passes(self):
        print("noise")
        os.system("echo more noise")
        self.assertTrue(os.environ["STRATISD"].endswith("/stratisd"))
        self.assertEqual(os.listdir("/run"), [])
        self.assertTrue(os.path.exists(os.environ["DBUS_SYSTEM_BUS_ADDRESS"].partition("=")[2]))
    def test_fails(self):
        print("said before")
        self.fail("on purpose")
    def test_raises(self):
        raise OSError("on purpose")
    def test_part_fails(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
    @unittest.skip("for no reason")
    def test_is_skipped(self):
        pass

class Unprepared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("cannot be prepared")
    def test_never_begins(self):
        pass

class Abrupt(unittest.TestCase):
    def test_ends_the_process(self):
        os._exit(3)
    def test_z_comes_after(self):
        pass
`;
mkdirSync(join(sources, "tests/integration"), { recursive: true });
writeFileSync(join(sources, "tests/integration/__init__.py"), "");
writeFileSync(join(sources, "tests/integration/test_sample.py"), SAMPLE);
const named = (name: string): string => `integration.test_sample.${name}`;

/** The name of each test that did not pass, and the text about it. */
async function problemsOf(...names: string[]): Promise<{ passed: string[]; problems: [string, string][] }> {
  const { passed, problems } = await runLane({ python: "python3", sources }, names.map(named));
  return { passed, problems: problems.map(({ test: name, text }) => [name, text]) };
}

test("a test that passes has its bus and nothing in /run, and only that counts as passed", async () => {
  const all = ["passes", "fails", "raises", "part_fails", "is_skipped"].map((name) => `Sample.test_${name}`);
  const { passed, problems } = await problemsOf(...all);
  assert.deepEqual(passed, [named("Sample.test_passes")]);
  const [fails, raises, partFails, skipped, ...rest] = problems;
  assert.deepEqual(rest, []);
  assert.equal(fails?.[0], named("Sample.test_fails"));
  assert.match(fails[1], /AssertionError: on purpose[^]*said before/);
  assert.equal(raises?.[0], named("Sample.test_raises"));
  assert.match(raises[1], /OSError: on purpose/);
  assert.equal(partFails?.[0], named("Sample.test_part_fails"));
  assert.match(partFails[1], /number=1/);
  assert.deepEqual(skipped, [named("Sample.test_is_skipped"), "skipped: for no reason"]);
});

test("a class that cannot be prepared fails with each of its tests", async () => {
  const { passed, problems } = await problemsOf("Unprepared.test_never_begins");
  assert.deepEqual(passed, []);
  assert.deepEqual(
    problems.map(([name]) => name),
    [`setUpClass (${named("Unprepared")})`, named("Unprepared.test_never_begins")],
  );
  assert.match(problems[0]?.[1] ?? "", /cannot be prepared/);
  assert.match(problems[1]?.[1] ?? "", /^was not run: the lane ended with status 0/);
});

test("a process that ends early fails the test that ran and those that did not", async () => {
  const names = ["ends_the_process", "z_comes_after"].map((name) => `Abrupt.test_${name}`);
  const { passed, problems } = await problemsOf("Sample.test_passes", ...names);
  assert.deepEqual(passed, [named("Sample.test_passes")]);
  assert.deepEqual(
    problems.map(([name, text]) => [name, text.split("\n")[0]]),
    [
      [named("Abrupt.test_ends_the_process"), "did not come to its end: the lane ended with status 3"],
      [named("Abrupt.test_z_comes_after"), "was not run: the lane ended with status 3"],
    ],
  );
});

test("a test that does not exist is a problem", async () => {
  const { passed, problems } = await problemsOf("Sample.test_nothing");
  assert.deepEqual(passed, []);
  assert.equal(problems[0]?.[0], named("Sample.test_nothing"));
  assert.match(problems[0][1], /KeyError/);
});

test("tests are dealt out by class, and evenly", () => {
  const tests = ["m.A.1", "m.A.2", "m.A.3", "m.B.1", "m.C.1", "m.C.2"];
  assert.deepEqual(dealOut(tests, 2), [
    ["m.A.1", "m.A.2", "m.A.3"],
    ["m.C.1", "m.C.2", "m.B.1"],
  ]);
});
