/** Saving a pool's record on its data devices (on-disk-format.md §12). */
import { saveMetadata } from "../../../disk/bda";
import { nextTimestamp, type Timestamp } from "../../../disk/mda";
import { encodePoolRecord, type PoolRecord } from "../../../disk/pool-record";
import type { StaticHeader } from "../../../disk/static-header";
import { logger } from "../../../log";
import { BestEffortError, EngineError, errorText } from "../../errors";
import { withBlockFile } from "../block-file";
import { recordRoom } from "./metadata-area";

const log = logger("stratisd::engine::metadata");

/** Upstream writes to at most ten devices; so do we, choosing those whose copies are oldest. */
const MAX_COPIES = 10;

/** The wall clock with the resolution of JavaScript; nextTimestamp() keeps the order strict. */
function now(): Timestamp {
  const milliseconds = Date.now();
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanoseconds: (milliseconds % 1000) * 1_000_000 };
}

/** A record that takes more of the largest metadata area than this is one to be warned of. */
const HIGH_FILL = 0.75;

/** Those that take a record of so many bytes. Throws EngineError when none does. */
function roomyFor(length: number, devices: readonly RecordPlace[], pool: string): RecordPlace[] {
  const largest = Math.max(...devices.map(({ header }) => recordRoom(header)));
  if (length > largest)
    throw new EngineError(
      `The metadata of pool "${pool}" would have ${length} bytes, where its devices take ${largest} bytes at most`,
    );
  if (length > HIGH_FILL * largest)
    log.warn(
      `The metadata of pool "${pool}" has ${length} bytes, where its devices take ${largest} bytes at most; a device ` +
        "that is added now gets a larger metadata area",
    );
  return devices.filter(({ header }) => length <= recordRoom(header));
}

/** What the record is written to. */
export interface RecordPlace {
  readonly devnode: string;
  /** For messages. */
  readonly physicalPath: string;
  readonly header: StaticHeader;
}

export class MetadataStore {
  #lastTime: Timestamp | null;
  /** Order in which devices were last written: the front is the oldest. */
  #rotation: RecordPlace[] = [];

  constructor(lastTime: Timestamp | null) {
    this.#lastTime = lastTime;
  }

  /**
   * Writes the record to the data devices. One success is enough; failures of single devices are logged. Throws when
   * no device took it: the record on disk is then still the previous one.
   */
  async save(devices: readonly RecordPlace[], record: PoolRecord): Promise<void> {
    const json = encodePoolRecord(record);
    const time = nextTimestamp(now(), this.#lastTime);
    const chosen = this.#choose(roomyFor(json.length, devices, record.name));
    const outcomes = await Promise.allSettled(
      chosen.map((device) =>
        withBlockFile(device.devnode, { write: true }, async (file) => {
          for (const problem of await saveMetadata(file, device.header, time, json))
            log.warn(
              `Metadata of pool "${record.name}" has one copy less on ${device.physicalPath}: ${problem}`,
            );
        }),
      ),
    );
    const failures: string[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "rejected")
        failures.push(`${chosen[index]?.physicalPath ?? "?"}: ${errorText(outcome.reason)}`);
    });
    if (failures.length === outcomes.length)
      throw new BestEffortError(
        `Failed to save the metadata of pool "${record.name}" on any device`,
        failures,
      );
    for (const failure of failures) log.warn(`Metadata of pool "${record.name}" was not saved on ${failure}`);
    this.#lastTime = time;
  }

  #choose(devices: readonly RecordPlace[]): RecordPlace[] {
    const known = this.#rotation.filter((device) => devices.includes(device));
    const ordered = [...devices.filter((device) => !known.includes(device)), ...known];
    const chosen = ordered.slice(0, MAX_COPIES);
    this.#rotation = [...ordered.slice(MAX_COPIES), ...chosen];
    return chosen;
  }
}
