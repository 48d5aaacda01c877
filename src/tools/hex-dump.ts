/** Bytes in the usual form: position, hexadecimal digits in groups of four bytes, and what of them is text. */

const BYTES_IN_LINE = 16;
const BYTES_IN_GROUP = 4;

const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

function line(bytes: Uint8Array, position: number): string {
  const digits = Array.from(bytes, (byte, index) => {
    const gap = index > 0 && index % BYTES_IN_GROUP === 0 ? " " : "";
    return `${gap}${byte.toString(16).padStart(2, "0")}`;
  });
  const text = Array.from(bytes, (byte) => (isPrintable(byte) ? String.fromCharCode(byte) : "."));
  return `${position.toString(16).padStart(4, "0")}:   ${digits.join(" ")}   ${text.join("")}`;
}

/** A whole number of lines, 16 bytes each, below a title. Without a line end. */
export function hexDump(bytes: Uint8Array): string {
  if (bytes.length % BYTES_IN_LINE !== 0)
    throw new RangeError(`${bytes.length} bytes are not a whole number of lines of ${BYTES_IN_LINE}`);
  const lines = [`Length: ${bytes.length} (0x${bytes.length.toString(16)}) bytes`];
  for (let position = 0; position < bytes.length; position += BYTES_IN_LINE)
    lines.push(line(bytes.subarray(position, position + BYTES_IN_LINE), position));
  return lines.join("\n");
}
