/** From the beginning of a call to its record: what both daemons have in common. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine } from "../engine/engine";
import { printable, type Caller, type HistoryRecord, type Outcome, type Subject } from "./record";
import { subjectNow } from "./subjects";

/** Must not throw. */
export type WriteRecord = (record: HistoryRecord) => void;

export interface Asked {
  readonly interface: string;
  readonly operation: string;
  /** As far as it was known when the call came. */
  readonly subject: Subject;
}

/** A call that is being carried out. */
export interface Attempt {
  end(outcome: Outcome): void;
}

const orNull = (text: string | null): string | null => (text === null ? null : printable(text));

export class Recorder {
  readonly #pending = new Set<Promise<void>>();

  constructor(
    private readonly engine: Pick<Engine, "pools">,
    private readonly write: WriteRecord,
  ) {}

  /** `caller` must not reject; the call does not wait for it. */
  begin(asked: Asked, caller: Promise<Caller>): Attempt {
    const begin = performance.now();
    return {
      end: (outcome) => {
        const subject = outcome.result === "failed" ? asked.subject : subjectNow(this.engine, asked.subject);
        const ended = { time: Date.now(), durationMs: Math.round(performance.now() - begin) };
        const writing = this.#record({ ...asked, subject }, caller, outcome, ended).finally(() => {
          this.#pending.delete(writing);
        });
        this.#pending.add(writing);
      },
    };
  }

  /** `time` in milliseconds of the Unix epoch. */
  async #record(
    { interface: name, operation, subject }: Asked,
    caller: Promise<Caller>,
    outcome: Outcome,
    { time, durationMs }: { time: number; durationMs: number },
  ): Promise<void> {
    const who = await caller;
    // The answer goes out first.
    await nextTurn();
    this.write({
      ...{ time: new Date(time).toISOString(), durationMs },
      ...who,
      command: orNull(who.command),
      interface: name,
      operation: printable(operation),
      object: orNull(subject.object),
      pool: orNull(subject.pool),
      poolUuid: subject.poolUuid,
      result: outcome.result,
      error: orNull(outcome.error),
    });
  }

  /** Resolves when every call that has ended has its record. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
