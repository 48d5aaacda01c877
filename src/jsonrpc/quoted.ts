/** Text as upstream's stratis-min and stratisd-min print it in errors: in quotation marks, in the notation of Rust. */

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\0": "\\0",
};

export const quotedText = (text: string): string =>
  `"${text.replace(
    /["\\]|[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => ESCAPES[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )}"`;
