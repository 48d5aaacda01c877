/** The words of a table or status line: taken one after another, with errors that quote the line. */
import type { DmTargetLine } from "../native";
import { parseDeviceNumber, type DeviceNumber } from "./device-number";
import { DmFormatError } from "./errors";

const U64_MAX = 2n ** 64n - 1n;

export class Params {
  readonly #words: string[];
  #next = 0;

  /** Kernel lines may end in a space. Throws DmFormatError when the line is of another target. */
  constructor(
    private readonly line: DmTargetLine,
    type: string,
  ) {
    this.#words = line.params.split(" ").filter((word) => word !== "");
    if (line.type !== type) this.fail(`it is of target "${line.type}" where "${type}" is expected`);
  }

  fail(why: string): never {
    throw new DmFormatError(
      `Can't parse the ${this.line.type} line "${this.line.start} ${this.line.length} ${this.line.params}": ${why}`,
    );
  }

  get remaining(): number {
    return this.#words.length - this.#next;
  }

  /** The next word, without taking it; undefined at the end. */
  peek(): string | undefined {
    return this.#words[this.#next];
  }

  word(what: string): string {
    const word = this.peek();
    if (word === undefined) return this.fail(`it ends where ${what} should be`);
    this.#next += 1;
    return word;
  }

  #number(word: string, what: string): bigint {
    const number = /^[0-9]{1,20}$/.test(word) ? BigInt(word) : null;
    return number !== null && number <= U64_MAX ? number : this.fail(`"${word}" is not a number as ${what}`);
  }

  number(what: string): bigint {
    return this.#number(this.word(what), what);
  }

  /** Two numbers with a slash between. */
  fraction(what: string): [bigint, bigint] {
    const word = this.word(what);
    const [used, total, ...more] = word.split("/");
    if (used === undefined || total === undefined || more.length > 0)
      return this.fail(`"${word}" is not a pair used/total as ${what}`);
    return [this.#number(used, what), this.#number(total, what)];
  }

  device(what: string): DeviceNumber {
    const word = this.word(what);
    try {
      return parseDeviceNumber(word);
    } catch (error) {
      if (error instanceof DmFormatError) return this.fail(`${what}: ${error.message}`);
      throw error;
    }
  }

  oneOf<T extends string>(what: string, choices: readonly T[]): T {
    const word = this.word(what);
    return (
      choices.find((choice) => choice === word) ??
      this.fail(`"${word}" is none of ${choices.join(", ")} as ${what}`)
    );
  }

  /** A count, then as many words. */
  counted(what: string): string[] {
    const count = this.number(`the number of ${what}`);
    if (count > BigInt(this.remaining))
      return this.fail(`${count} ${what} are announced, ${this.remaining} words follow`);
    return Array.from({ length: Number(count) }, () => this.word(what));
  }

  end(): void {
    if (this.remaining > 0) this.fail(`"${this.word("nothing")}" follows where it should end`);
  }
}

/** A target line that must be the only one of its device. */
export function requireStartAtZero(params: Params, line: DmTargetLine): void {
  if (line.start !== 0n) params.fail("it does not start at sector 0");
}

/** What targets report when they have no proper status: "Fail" after a fatal error, "Error" when it can't be told. */
export function failureStatus(params: Params): { kind: "fail" } | { kind: "error" } | null {
  const first = params.peek();
  if (first?.startsWith("Fail") === true) return { kind: "fail" };
  if (first?.startsWith("Error") === true) return { kind: "error" };
  return null;
}

export const sameWords = (a: readonly string[], b: readonly string[]): boolean =>
  [...a].sort().join(" ") === [...b].sort().join(" ");
