/** Text as D-Bus strings can hold it. */

// eslint-disable-next-line no-control-regex -- U+0000 is one of the two things that a D-Bus string cannot hold
const NOT_IN_STRINGS = /\u0000|\p{Surrogate}/u;
const ALL_NOT_IN_STRINGS = new RegExp(NOT_IN_STRINGS, "gu");

export const isSendableText = (text: string): boolean => !NOT_IN_STRINGS.test(text);

/**
 * Text as a D-Bus string can carry it: NUL and lone surrogates become U+FFFD. Names come from disks too, and one that
 * cannot be sent must not take the rest of its message with it.
 */
export const sendableText = (text: string): string => text.replace(ALL_NOT_IN_STRINGS, "\ufffd");
