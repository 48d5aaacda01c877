/**
 * Runs the corpus of command lines through stratis-cli 3.9.0 and compares what it says with the fixture, which our
 * command is compared with in tests/dbus/cli-differential.test.ts, and with what our command says now. With --record it
 * makes the fixture. Exit status 0: all is the same; 1: something is not; 77: stratis-cli cannot be had here.
 */
import { isDeepStrictEqual } from "node:util";
import { corpus } from "../dbus/cli-differential/corpus";
import { readFixture, recorded, writeFixture } from "../dbus/cli-differential/fixture";
import { ours } from "../dbus/cli-differential/ours";
import { runScene, type Result, type Scene } from "../dbus/cli-differential/scene";
import { startBus, type PrivateBus } from "../dbus/support/bus";
import { endWith } from "./not-run";
import { pythonProgram } from "./python";
import { startReference, type Reference } from "./reference";
import { stratisCliFolder } from "./sources";

/** Prints the lines on which the two differ. Returns how many. */
function differences(
  one: string,
  first: readonly Result[],
  other: string,
  second: readonly Result[],
): number {
  let count = 0;
  for (const [index, result] of first.entries()) {
    const counterpart = second[index];
    if (isDeepStrictEqual(result, counterpart)) continue;
    count += 1;
    console.log(`\ndifferent: ${result.line}`);
    for (const [who, what] of [
      [one, result],
      [other, counterpart],
    ] as const)
      console.log(`  ${who}: ${JSON.stringify({ ...what, line: undefined })}`);
  }
  return count;
}

async function compareScene(bus: PrivateBus, reference: Reference, scene: Scene): Promise<number> {
  const theirs = await runScene(bus, scene, reference.run);
  return (
    differences("stratis-cli", theirs, "recorded", recorded(readFixture(), scene)) +
    differences("stratis-cli", theirs, "ours", await runScene(bus, scene, ours))
  );
}

async function record(bus: PrivateBus, reference: Reference): Promise<void> {
  const fixture: Record<string, Result[]> = {};
  for (const scene of corpus) fixture[scene.name] = await runScene(bus, scene, reference.run);
  writeFixture(fixture);
}

async function main(): Promise<number> {
  const reference = startReference({ sources: stratisCliFolder(), python: pythonProgram() });
  const bus = await startBus();
  try {
    if (process.argv.includes("--record")) await record(bus, reference);
    let count = 0;
    for (const scene of corpus) count += await compareScene(bus, reference, scene);
    const lines = corpus.flatMap((scene) => scene.lines).length;
    console.log(`${lines} command lines through stratis-cli and ours: ${count} differences`);
    return count === 0 ? 0 : 1;
  } finally {
    await reference.end();
    await bus.stop();
  }
}

endWith("the comparison with stratis-cli", main);
