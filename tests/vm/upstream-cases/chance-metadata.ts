/** The shape of pools' metadata: what has to be the same whoever wrote it, without what differs by chance. */

const UUID = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/;
/** Comes and goes with the background checks. */
const IN_ERROR_MODE = "error_if_no_space";

/**
 * JSON with the same keys in the same order, and the same words; of a number and a UUID only that it is one, of a list
 * each shape once.
 */
function shapeOf(value: unknown): unknown {
  if (typeof value === "number") return "number";
  if (typeof value === "string") return UUID.test(value) ? "uuid" : value;
  if (Array.isArray(value)) {
    const words = value.filter((part) => part !== IN_ERROR_MODE);
    return [...new Set(words.map((part) => JSON.stringify(shapeOf(part))))].sort();
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length > 0 && entries.every(([key]) => UUID.test(key)))
    return { uuid: shapeOf(entries.map(([, part]) => part as unknown)) };
  return Object.fromEntries(entries.map(([key, part]) => [key, shapeOf(part)]));
}

/** `json`: a record as the daemon tells it. */
export const metadataShape = (json: string): string => JSON.stringify(shapeOf(JSON.parse(json)));
