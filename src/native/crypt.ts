/**
 * Keys and encryption: the part of the addon's types that is about kernel keyrings and LUKS2.
 *
 * Descriptions of keys are complete, with their prefix. Secrets never become strings: they are read, kept in locked
 * memory and wiped within the addon; bytes that the caller passes are copied at once, and the caller wipes its own.
 */

/** What a descriptor delivers, at most 64 bytes: see readKey. It stays the caller's to close. */
export interface SecretFromDescriptor {
  fd: number;
  /** Milliseconds until the first byte; default 10000. */
  timeoutMs?: number;
}

/** At most 512 bytes. */
export interface SecretFromBytes {
  passphrase: Uint8Array;
}

/** A key of root's persistent keyring; ENOKEY when there is none. */
export interface SecretFromKeyring {
  keyDescription: string;
}

export interface KeyringAddon {
  /** Sets a key of root's persistent keyring: 1 to 64 bytes; EMSGSIZE when there are more. */
  keyringSet(
    description: string,
    source: SecretFromDescriptor | SecretFromBytes,
  ): Promise<"created" | "valueChanged" | "identity">;
  /** Unlinks a key from root's persistent keyring; false: there was none. */
  keyringUnset(description: string): Promise<boolean>;
  keyringHas(description: string): Promise<boolean>;
  /** Descriptions in root's persistent keyring that begin with `prefix` and go on after it. */
  keyringList(prefix: string): Promise<string[]>;
  /** Whether the keyring of this process holds a volume key. */
  volumeKeyHas(description: string): Promise<boolean>;
  /** Unlinks a volume key from the keyring of this process; false: there was none. */
  volumeKeyUnset(description: string): Promise<boolean>;
}
