/** Our command gives the bytes that stratis-cli 3.9.0 gave, for every line of a corpus (cli.md §18 and more). */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { corpus } from "./cli-differential/corpus";
import { readFixture, recorded } from "./cli-differential/fixture";
import { ours } from "./cli-differential/ours";
import { runScene } from "./cli-differential/scene";
import { startBus, type PrivateBus } from "./support/bus";

const FEWEST_LINES = 300;

let bus: PrivateBus | undefined;
before(async () => {
  bus = await startBus();
});
after(async () => {
  await bus?.stop();
});

test("the corpus is as large as it should be", () => {
  assert.ok(corpus.flatMap(({ lines }) => lines).length >= FEWEST_LINES);
});

const fixture = readFixture();
for (const scene of corpus)
  test(`${scene.name}: ${scene.lines.length} command lines`, async () => {
    assert.ok(bus !== undefined);
    assert.deepEqual(await runScene(bus, scene, ours), recorded(fixture, scene));
  });
