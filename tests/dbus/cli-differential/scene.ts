/**
 * Runs the lines of a scene, one after the other, against a simulator of the scene's own that starts empty. Its UUIDs
 * and times are the same in every run, so that two programs can be compared that have met the same daemon.
 */
import crypto from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { simpleUuid } from "../../../src/uuid";
import type { SimEngine } from "../../../src/engine/sim/engine";
import type { PrivateBus } from "../support/bus";
import { startSimulated } from "../support/simulated";
import type { CommandLine } from "./command-line";
import { comparable, type Outcome } from "./comparable";

export interface Scene {
  readonly name: string;
  readonly lines: readonly CommandLine[];
  /** Nobody owns the name on the bus. */
  readonly withoutDaemon?: boolean;
}

export interface Invocation {
  readonly words: readonly string[];
  readonly input: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** The directory that relative paths start from. */
  readonly cwd: string;
}

/** A program that is compared: stratis-cli, or ours. */
export type Program = (invocation: Invocation) => Promise<Outcome>;

/** Of a line, as it is in the fixture. */
export interface Result extends Outcome {
  readonly line: string;
}

const TIME_ZONE = "Europe/Prague";
const NOW = Date.parse("2026-02-07T14:33:20Z");
/** stratisd reads at most 64 bytes of a key, of a file one less. */
const KEYFILES = { key: "a key", other: "another key", long: "k".repeat(64), empty: "" };

/** Holds time still and numbers the UUIDs, until the function it returns is called. */
function stopChance(): () => void {
  let uuids = 0;
  const nextUuid = (): ReturnType<typeof crypto.randomUUID> => {
    uuids += 1;
    const digest = crypto.createHash("sha256").update(`uuid ${uuids}`).digest("hex");
    return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
  };
  const mocks = [mock.method(crypto, "randomUUID", nextUuid), mock.method(Date, "now", () => NOW)];
  return () => {
    for (const { mock: context } of mocks) context.restore();
  };
}

const PLACEHOLDER = /\{(pool|stopped|device|filesystem|file):([^}]+)\}/g;

/** What a placeholder stands for: a UUID as D-Bus has it, or the path of a file. */
function valueOf(engine: SimEngine, folder: string, kind: string, name: string): string {
  const named = <T extends { readonly name: string | null }>(all: readonly T[]): T | undefined =>
    all.find((candidate) => candidate.name === name);
  const found =
    kind === "pool"
      ? named(engine.pools())
      : kind === "stopped"
        ? named(engine.stoppedPools())
        : kind === "filesystem"
          ? named(engine.pools().flatMap((pool) => [...pool.filesystems()]))
          : engine
              .pools()
              .flatMap((pool) => [...pool.blockDevs()])
              .find(({ devnode }) => devnode === name);
  if (kind === "file") return join(folder, name);
  if (found === undefined) throw new Error(`The simulator has no ${kind} ${name}`);
  return simpleUuid(found.uuid);
}

export async function runScene(bus: PrivateBus, scene: Scene, program: Program): Promise<Result[]> {
  const restore = stopChance();
  const folder = await mkdtemp(join(tmpdir(), "stratis-scene-"));
  const simulated = scene.withoutDaemon === true ? null : await startSimulated(bus);
  try {
    for (const [name, content] of Object.entries(KEYFILES)) await writeFile(join(folder, name), content);
    const results: Result[] = [];
    for (const { line, words, input, env } of scene.lines) {
      const filled = words.map((word) =>
        word.replace(PLACEHOLDER, (_, kind: string, name: string) => {
          if (simulated === null) throw new Error(`${line}: there is no simulator to ask`);
          return valueOf(simulated.engine, folder, kind, name);
        }),
      );
      const outcome = await program({
        words: filled,
        input,
        env: { TZ: TIME_ZONE, DBUS_SYSTEM_BUS_ADDRESS: bus.address, ...env },
        cwd: folder,
      });
      results.push({ line, ...comparable(outcome, folder) });
    }
    return results;
  } finally {
    await simulated?.end();
    await rm(folder, { recursive: true, force: true });
    restore();
  }
}
