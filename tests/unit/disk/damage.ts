/** Arbitrary inputs for parsers: random bytes, and valid input that was cut, changed or mixed up. */
import fc from "fast-check";

/** Random bytes, or one of `valid` with some damage. */
export function damagedBytes(
  valid: readonly Uint8Array[],
  options: { keepLength?: boolean } = {},
): fc.Arbitrary<Buffer> {
  const source = fc.constantFrom(...valid).map((bytes) => Buffer.from(bytes));
  const changed = fc
    .tuple(
      source,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
    )
    .map(([bytes, changes]) => {
      for (const [position, value] of changes) bytes[position % bytes.length] = value;
      return bytes;
    });
  const flipped = fc.tuple(source, fc.nat(), fc.integer({ min: 0, max: 7 })).map(([bytes, position, bit]) => {
    const index = position % bytes.length;
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
    return bytes;
  });
  if (options.keepLength === true) {
    const length = valid[0]?.length ?? 0;
    return fc.oneof(
      changed,
      flipped,
      fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes)),
    );
  }
  const truncated = fc
    .tuple(source, fc.nat())
    .map(([bytes, length]) => bytes.subarray(0, length % bytes.length));
  const doubled = fc
    .tuple(source, fc.nat())
    .map(([bytes, cut]) => Buffer.concat([bytes.subarray(0, cut % bytes.length), bytes]));
  return fc.oneof(
    changed,
    flipped,
    truncated,
    doubled,
    fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
  );
}

/** Texts with words of `valid` exchanged for others, which gets deeper into a parser than random characters. */
export function damagedText(
  valid: readonly string[],
  words: readonly string[],
  separator: RegExp,
): fc.Arbitrary<string> {
  const replaced = fc
    .tuple(
      fc.constantFrom(...valid),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...words)), { maxLength: 4 }),
    )
    .map(([text, changes]) => {
      const parts = text.split(separator);
      for (const [position, word] of changes) parts[position % parts.length] = word;
      return parts.join("");
    });
  return fc.oneof(
    replaced,
    fc.string({ unit: "binary" }),
    damagedBytes(valid.map((text) => Buffer.from(text))).map((bytes) => bytes.toString("utf8")),
  );
}
