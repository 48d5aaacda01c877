/** What stratis-cli 3.9.0 answered to every line of the corpus, as it was recorded (tests/compat/differential.ts). */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../src/native";
import type { Result, Scene } from "./scene";

const FILE = join(packageRoot, "tests/fixtures/stratis-cli-3.9.0.json");

/** Results by the name of their scene. */
type Fixture = Record<string, Result[]>;

export const readFixture = (): Fixture => JSON.parse(readFileSync(FILE, "utf8")) as Fixture;

export const writeFixture = (fixture: Fixture): void => {
  writeFileSync(FILE, `${JSON.stringify(fixture, null, 1)}\n`);
};

/** The results that belong to the scene's lines, one by one; throws when the corpus has changed since. */
export function recorded(fixture: Fixture, scene: Scene): Result[] {
  const results = fixture[scene.name] ?? [];
  const lines = scene.lines.map(({ line }) => line);
  if (lines.join("\n") !== results.map(({ line }) => line).join("\n"))
    throw new Error(`${FILE} has other lines for "${scene.name}" than the corpus: record it anew`);
  return results;
}
