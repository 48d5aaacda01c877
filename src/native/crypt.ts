/**
 * Keys and encryption: the part of the addon's types that is about kernel keyrings and LUKS2.
 *
 * Descriptions of keys are complete, with their prefix. Secrets never become strings: they are read, kept in locked
 * memory and wiped within the addon; bytes that the caller passes are copied at once, and the caller wipes its own.
 */

import type { DmTargetLine } from "./index";

/** A passphrase. It stays in the addon's locked memory until wipe(), or until nobody has the handle. */
export interface Secret {
  readonly bytes: number;
  /** Twice is harmless; operations under way keep what they need. */
  wipe(): void;
  /** Another handle on the same, which outlives the wiping of this one. */
  share(): Secret;
  equals(other: Secret): boolean;
}

export type LibraryMessageLevel = "error" | "normal" | "verbose";

export interface SecretAddon {
  /**
   * Reads what a descriptor delivers, up to the end, or to a pause of 300 ms, since the sender of a pipe may keep it
   * open. Fails with EMSGSIZE when there are more than 64 bytes, with ETIMEDOUT when nothing comes at all.
   */
  readSecret(fd: number, timeoutMs: number): Promise<Secret>;
  /** At most 512 bytes, which are copied: the caller wipes its own. */
  secretFrom(bytes: Uint8Array): Secret;
  /** `length` letters and digits by chance. */
  randomPassphrase(length: number): Secret;
}

/** What a descriptor delivers, at most 64 bytes: see readSecret. It stays the caller's to close. */
export interface SecretFromDescriptor {
  fd: number;
  /** Milliseconds until the first byte; default 10000. */
  timeoutMs?: number;
}

export interface SecretFromHandle {
  secret: Secret;
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
    source: SecretFromDescriptor | SecretFromHandle | SecretFromBytes,
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

export type SecretSource = SecretFromDescriptor | SecretFromHandle | SecretFromBytes | SecretFromKeyring;

/** Opens a keyslot, that one or any, with a passphrase. Null is the same as none. */
export type PassphraseUnlock = SecretSource & { keyslot?: number | null };

/** Opens the keyslot of a token of type luks2-keyring with the token's key: of that token, or of the first that works. */
export interface TokenUnlock {
  token: number | "any";
}

/** EPERM when a passphrase was tried and opens nothing; ENOKEY, ENOENT and others when there was none to try. */
export type CryptUnlock = PassphraseUnlock | TokenUnlock;

/** What opens a device without the derivation of a key. EPERM: it is not the device's. */
export interface VolumeKeyUnlock {
  volumeKey: VolumeKey;
}

/** The key that encrypts the data. It stays in the addon's locked memory until wipe(), or until nobody has the handle. */
export interface VolumeKey {
  readonly bytes: number;
  /** Twice is harmless; operations under way keep what they need. */
  wipe(): void;
}

/** What opening a keyslot costs. Without it libcryptsetup measures the machine and takes its own defaults. */
export interface KeyDerivation {
  type: "pbkdf2" | "argon2i" | "argon2id";
  /** Default "sha256". */
  hash?: string;
  iterations: number;
  /** Of argon2. */
  memoryKiB?: number;
  /** Of argon2. */
  threads?: number;
}

export interface CryptHeader {
  uuid: string;
  /** Of one of the two copies, bytes. */
  metadataSize: number;
  /** Bytes. */
  keyslotsSize: number;
  dataOffsetSectors: bigint;
  /** "aes" */
  cipher: string;
  /** "xts-plain64" */
  cipherMode: string;
  /** Encryption sectors, bytes. */
  sectorSize: number;
  /** Null without a keyslot. */
  volumeKeyBytes: number | null;
  /** In ascending order. The keys of unbound ones encrypt no data: they are those of a re-encryption to come. */
  keyslots: { keyslot: number; unbound: boolean }[];
  /** In ascending order. */
  tokens: { token: number; json: string }[];
  /** "crash": it was interrupted in the middle of a step; "invalid": the header contradicts itself, mode is null. */
  reencryption: {
    state: "none" | "clean" | "crash" | "invalid";
    mode: "encrypt" | "reencrypt" | "decrypt" | null;
  };
  /** The JSON of the header, with what is not above: segments and digests. */
  json: string;
}

export interface CryptFormatOptions {
  /** Default: a new one. */
  uuid?: string;
  /** Of one of the two copies, bytes. */
  metadataSize: number;
  /** Bytes. */
  keyslotsSize: number;
  /** Default: libcryptsetup's alignment. */
  dataOffsetSectors?: bigint;
  /** Bytes; default: chosen from the device's sector sizes. One that does not fit is an error. */
  sectorSize?: number;
  /** Default "aes". */
  cipher?: string;
  /** Default "xts-plain64". */
  cipherMode?: string;
  /** Default 64. */
  volumeKeyBytes?: number;
  /** Also of the key's digest, which otherwise takes some measuring. */
  pbkdf?: KeyDerivation;
}

export interface AddKeyslotOptions {
  /** Default: the lowest free one. */
  keyslot?: number | null;
  /**
   * The key is that of a re-encryption to come and encrypts nothing yet: `authorisation` is { volumeKey } with a key of
   * cryptGenerateVolumeKey, the same for all of its keyslots.
   */
  unbound?: boolean;
  pbkdf?: KeyDerivation;
}

export interface ActivateOptions {
  readOnly?: boolean;
  /** Also when the device is in use otherwise. */
  shared?: boolean;
  allowDiscards?: boolean;
  volumeKeyDescription?: string;
}

export interface CryptReencryptOptions {
  /** The mapping that is in use meanwhile. Without, nobody may use the device. */
  activeName?: string | null;
  /** The passphrase has to open a keyslot of each volume key that is involved. */
  unlock: CryptUnlock;
  /** How a piece survives a crash: "checksum" (the default), "journal" or "none". */
  resilience?: string;
  /** Of the checksums; default "sha256". */
  hash?: string;
  /**
   * Of one piece, which is in memory twice; default 524288 (256 MiB) or a sixth of the machine's memory, whichever is
   * less; 0: whatever libcryptsetup takes, up to 1 GiB.
   */
  mostHotzoneSectors?: bigint;
  /** Stops after so many pieces; 0: when what a crash left of one is recovered. */
  mostPieces?: number;
}

export interface CryptReencryptBeginOptions extends CryptReencryptOptions {
  mode: "encrypt" | "reencrypt" | "decrypt";
  /** Of the key that data have now; none for "encrypt". */
  oldKeyslot?: number | null;
  /** Of the key that they get; none for "decrypt". */
  newKeyslot?: number | null;
  /** Of the new encryption: default "aes", "xts-plain64". */
  cipher?: string;
  cipherMode?: string;
  /** Of the new encryption, bytes; default 512. */
  sectorSize?: number;
  /** The header alone is written: for one that is not yet on its device. */
  initializeOnly?: boolean;
}

export interface CryptReencryption {
  /** "stopped" by stop() with the rest left to do, or "finished". */
  readonly ended: Promise<"finished" | "stopped">;
  /** Ends with the piece that is being worked on. The end of the process does the same. */
  stop(): void;
}

/**
 * LUKS2 by libcryptsetup. Calls run one at a time, in the order of asking, each with a context of its own; while a
 * device is being re-encrypted, calls that change its header fail with EBUSY. `syscall` of an error is the library's
 * function, its message has what the library said. ENODATA: the device has no LUKS2 header.
 */
export interface CryptAddon {
  /**
   * Who is told what the library says, one line at a time: when this or another call ends. Also what an error has in its
   * message; never a secret. Replaces whoever was named before.
   */
  onLibraryMessage(listener: (level: LibraryMessageLevel, message: string) => void): void;

  /** Null: there is no LUKS2 header. One damaged copy of it is repaired from the other. */
  cryptLoad(path: string): Promise<CryptHeader | null>;
  /** Writes a header without keyslots and returns its volume key, so that keyslots can be added. */
  cryptFormat(path: string, options: CryptFormatOptions): Promise<VolumeKey>;
  /** Destroys all keyslots and zeroes everything before the data. False: there is no LUKS2 header. */
  cryptWipe(path: string): Promise<boolean>;
  /** Writes header and keyslots into a new file. */
  cryptHeaderBackup(path: string, file: string): Promise<void>;
  /** Also onto a device that has no header. */
  cryptHeaderRestore(path: string, file: string): Promise<void>;

  /** A random key, by default of 64 bytes, at most 512. */
  cryptGenerateVolumeKey(bytes?: number): Promise<VolumeKey>;
  /** The volume key, by a keyslot. */
  cryptVolumeKey(path: string, unlock: CryptUnlock): Promise<VolumeKey>;
  /** The keyslot that is opened, without activating anything. */
  cryptTest(path: string, unlock: CryptUnlock): Promise<number>;
  /** Adds a keyslot for the secret `added` and returns its number. */
  cryptAddKeyslot(
    path: string,
    authorisation: CryptUnlock | { volumeKey: VolumeKey },
    added: SecretSource,
    options?: AddKeyslotOptions,
  ): Promise<number>;
  /** The same volume key in the same keyslot, for another secret. Returns the number of the keyslot. */
  cryptChangeKeyslot(
    path: string,
    keyslot: number,
    before: SecretSource,
    after: SecretSource,
    options?: { pbkdf?: KeyDerivation },
  ): Promise<number>;
  cryptDestroyKeyslot(path: string, keyslot: number): Promise<void>;
  /** Writes a token, over one that is there; null: into the lowest free slot. Returns its number. */
  cryptSetToken(path: string, token: number | null, json: string): Promise<number>;
  cryptRemoveToken(path: string, token: number): Promise<void>;

  /**
   * Makes the mapping `name` of dm-crypt. With `volumeKeyDescription` the volume key goes into the keyring of this
   * process under that description, except while an operation in place is pending: `volumeKeyLoaded` tells. That takes a
   * passphrase (EINVAL). `keyslot` is null when the volume key was given.
   */
  cryptActivate(
    path: string,
    name: string,
    unlock: CryptUnlock | VolumeKeyUnlock,
    options?: ActivateOptions,
  ): Promise<{ keyslot: number | null; volumeKeyLoaded: boolean }>;
  /**
   * Puts the volume key into the keyring of this process. Returns the keyslot that was opened; null: the volume key was
   * given.
   */
  cryptLoadVolumeKey(
    path: string,
    unlock: CryptUnlock | VolumeKeyUnlock,
    description: string,
  ): Promise<number | null>;
  /** Removes a mapping. `deferred`: when its last user has closed it. */
  cryptDeactivate(name: string, options?: { deferred?: boolean }): Promise<void>;
  /** "busy": active and open. */
  cryptStatus(name: string): Promise<"inactive" | "active" | "busy">;
  /**
   * Gives a mapping another size, in sectors; 0, the default, for all of its device. The key is that which the keyring
   * of this process has (ENOKEY when it has not), or is unlocked.
   */
  cryptResize(
    path: string,
    name: string,
    unlock: CryptUnlock | { volumeKeyDescription: string },
    sizeSectors?: bigint,
  ): Promise<void>;

  /**
   * Loads a table whose dm-crypt lines name volume keys of the device: ":64:logon:cryptsetup:<uuid>-d<digest>". They are
   * there for the time of the call.
   */
  cryptLoadTable(
    path: string,
    unlock: CryptUnlock,
    request: { op: "load"; name: string; targets: DmTargetLine[] },
  ): Promise<void>;

  /** Writes into the header what is to be done; cryptReencryptRun does it. EBUSY: something is begun already. */
  cryptReencryptBegin(path: string, options: CryptReencryptBeginOptions): Promise<void>;
  /**
   * Does what was begun, from where it was left; what a crash left of a piece is recovered first. It has a thread of
   * its own, and between two pieces other calls get their turn. `onProgress` gets bytes that are done and bytes in all,
   * of several pieces the latest when it has no time for each. Throws when arguments are wrong.
   */
  cryptReencryptRun(
    path: string,
    options: CryptReencryptOptions,
    onProgress: (done: bigint, total: bigint) => void,
  ): CryptReencryption;
}
