/** Types of values on the command line (cli.md §4). */
import { parseInteger } from "../format/integer";
import { pythonString } from "../format/python-literal";
import { parseUuid } from "../format/uuid";
import { ValueError, type Convert } from "./grammar";

const EXPONENT_OF_UNIT: Readonly<Record<string, bigint>> = {
  B: 0n,
  KiB: 1n,
  MiB: 2n,
  GiB: 3n,
  TiB: 4n,
  PiB: 5n,
};

/** A size in bytes: ASCII digits directly followed by a unit. Throws ValueError. */
export function size(word: string): bigint {
  const [, digits = "", unit = ""] = /^([0-9]+)([KMGTP]iB|B)\n?$/.exec(word) ?? [];
  const exponent = EXPONENT_OF_UNIT[unit];
  if (exponent === undefined)
    throw new ValueError(
      "Ill-formed size specification: Size must be specified using the format <magnitude><units> where <magnitude> " +
        "is a decimal integer value and <units> is any binary unit specifier in the set " +
        '"B", "KiB", "MiB", "GiB", "TiB", and "PiB".',
    );
  return BigInt(digits) * 1024n ** exponent;
}

export const CURRENT = "current";

/** A size, or the word "current"; stays as it was typed. */
export const sizeOrCurrent: Convert = (word) => {
  if (word !== CURRENT) size(word);
  return word;
};

const natural =
  (bits: number): Convert =>
  (word) => {
    const value = parseInteger(word);
    if (value === null || value < 0n) throw new ValueError(`Argument ${word} is not a natural number.`);
    if (value >= 1n << BigInt(bits))
      throw new ValueError(
        `Argument ${word} is too large: the largest possible number is ${(1n << BigInt(bits)) - 1n}.`,
      );
    return value;
  };

/** A number of filesystems: t on D-Bus. */
export const amount = natural(64);
/** A token slot: u on D-Bus. */
export const tokenSlot = natural(32);

/** 32 hexadecimal digits of a UUID. */
export const uuid: Convert = (word) => {
  const digits = parseUuid(word);
  if (digits === null) throw new ValueError(`invalid UUID value: ${pythonString(word)}`);
  return digits;
};

const choiceError = (word: string, choices: readonly string[]): ValueError =>
  new ValueError(`invalid choice: ${pythonString(word)} (choose from ${choices.join(", ")})`);

/** One of a few words, in this very spelling. */
export const choice = (...choices: readonly string[]): Convert =>
  Object.assign(
    (word: string) => {
      if (!choices.includes(word)) throw choiceError(word, choices);
      return word;
    },
    { choices },
  );

/** As choice; `known` words that are not to be chosen are told apart from those that are no value of the type. */
const enumeration = (type: string, choices: readonly string[], known: readonly string[] = []): Convert =>
  Object.assign(
    (word: string) => {
      if (known.includes(word)) throw choiceError(word, choices);
      if (!choices.includes(word)) throw new ValueError(`invalid ${type} value: ${pythonString(word)}`);
      return word;
    },
    { choices },
  );

export const clevis = enumeration("Clevis", ["nbde", "tang", "tpm2"]);
export const encryptionMethod = enumeration("EncryptionMethod", ["keyring", "clevis"]);
export const unlockMethod = enumeration("UnlockMethod", ["any", "clevis", "keyring"]);
export const integrityOption = enumeration("IntegrityOption", ["no", "pre-allocate"]);
export const integrityTagSpec = enumeration("IntegrityTagSpec", ["32b", "512b"], ["0b"]);
export const yesOrNo = enumeration("YesOrNo", ["yes", "no"]);
export const reportKey = enumeration("ReportKey", [
  "engine_state_report",
  "managed_objects_report",
  "stopped_pools",
]);
