/** Keys that pools are encrypted with, in root's persistent keyring in the kernel (encryption.md §4). */
import { native, type Secret } from "../../native";
import type { MappingCreateAction } from "../actions";
import { ChainedError, EngineError } from "../errors";

/** In front of every description, in the kernel and in the tokens of LUKS2 headers. */
const PREFIX = "stratis-1-key-";
/** It parts the fields of what the kernel says of a key. */
const FORBIDDEN = ";";

export const keyName = (description: string): string => PREFIX + description;

/** The user's description in the kernel's one; null for the name of something else. */
export const descriptionIn = (name: string): string | null =>
  name.startsWith(PREFIX) && name.length > PREFIX.length ? name.slice(PREFIX.length) : null;

/** Throws EngineError for text that can't be the description of a key. */
function validateKeyDescription(description: string): void {
  if (description === "") throw new EngineError("A key description can't be empty");
  if (description.includes(FORBIDDEN))
    throw new EngineError(`Key description ${description} contains a '${FORBIDDEN}'`);
}

export async function listKeys(): Promise<string[]> {
  try {
    return (await native().keyringList(PREFIX)).map((name) => name.slice(PREFIX.length));
  } catch (error) {
    throw new ChainedError("Failed to list the keys in the kernel keyring", error);
  }
}

/** The caller wipes `key`. */
export async function setKey(description: string, key: Secret): Promise<MappingCreateAction> {
  try {
    validateKeyDescription(description);
    return await native().keyringSet(keyName(description), { secret: key });
  } catch (error) {
    throw new ChainedError(
      `Failed to set the key with description "${description}" in the kernel keyring`,
      error,
    );
  }
}

export async function unsetKey(description: string): Promise<"deleted" | "identity"> {
  try {
    return (await native().keyringUnset(keyName(description))) ? "deleted" : "identity";
  } catch (error) {
    throw new ChainedError(`Failed to unset the key with description "${description}"`, error);
  }
}

export const hasKey = (description: string): Promise<boolean> => native().keyringHas(keyName(description));
