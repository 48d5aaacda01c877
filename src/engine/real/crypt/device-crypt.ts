/** The LUKS2 layer of one block device of an encrypted V1 pool (encryption.md §1, §8, §12.2, §13.3, §20, §22). */
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { removeDmDevice } from "../../../dm/operations";
import { native } from "../../../native";
import { bytes, bytesToSectors, sectors, type Sectors } from "../../../units";
import type { DevUuid, PoolUuid } from "../../../uuid";
import { ChainedError, EngineError } from "../../errors";
import { sectorSizesOf, withBlockFile, type SectorSizes } from "../block-file";
import { requestUdevChange } from "../uevent";
import { withHeaderFile } from "./header-backup";
import { InPlaceDevice } from "./in-place-device";
import { rawTokensOf, type HeaderFormat } from "./luks-device";
import { liveLength } from "./mapping";
import type { AcceptedRequest, Unlock } from "./request";
import {
  CLEVIS_SLOT,
  printStratisToken,
  STRATIS_SLOT,
  stratisTokenOf,
  type StratisToken,
} from "./stratis-token";

/** What the header takes of a block device. */
export const DEVICE_HEADER_SECTORS = sectors(32768n);
const FORMAT: HeaderFormat = {
  metadataSize: 0x4000,
  keyslotsSize: 0xff8000,
  dataOffsetSectors: DEVICE_HEADER_SECTORS,
};
const BOTH_COPIES_BYTES = 2 * FORMAT.metadataSize;

/** A device of ours says so in either copy; of others not even a damaged copy is repaired. */
async function mayBeOurs(path: string): Promise<boolean> {
  const start = await withBlockFile(path, {}, async (file) => await file.read(0n, BOTH_COPIES_BYTES));
  return start.includes(names.PRIVATE_PREFIX);
}

export class DeviceCrypt extends InPlaceDevice {
  #token: StratisToken;

  private constructor(
    path: string,
    /** Of the block device, not of the mapping. */
    readonly number: DeviceNumber,
    readonly sectorSizes: SectorSizes,
    token: StratisToken,
  ) {
    super(path, names.v1Crypt(token.devUuid));
    this.#token = token;
  }

  /** null: the device is none of a pool. Throws for one that says that it is, and whose header makes no sense. */
  static async load(path: string, number: DeviceNumber): Promise<DeviceCrypt | null> {
    if (!(await mayBeOurs(path))) return null;
    const header = await native().cryptLoad(path);
    if (header === null) throw new EngineError("neither copy of its LUKS2 header is right");
    const token = stratisTokenOf(rawTokensOf(header));
    if (token === null) return null;
    const sizes = await withBlockFile(path, {}, (file) => file.info());
    const crypt = new DeviceCrypt(path, number, sectorSizesOf(sizes), token);
    if (!(await crypt.refresh())) throw new EngineError("it has no unlock method");
    return crypt;
  }

  /**
   * Formats a block device, binds what is asked for, and opens it. On failure nothing is left of it. `sectorSize`: of
   * the pool's other mappings, bytes; null for the first one.
   */
  static async create(
    { path, number, sectorSizes }: { path: string; number: DeviceNumber; sectorSizes: SectorSizes },
    token: StratisToken,
    request: AcceptedRequest,
    sectorSize: number | null,
  ): Promise<DeviceCrypt> {
    const crypt = new DeviceCrypt(path, number, sectorSizes, token);
    const orWipe = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        await crypt.wipe();
        throw new ChainedError(`Failed to open ${path}, which was just encrypted`, error);
      }
    };
    const setToken = (container: string): Promise<unknown> =>
      native().cryptSetToken(container, STRATIS_SLOT, printStratisToken(token));
    if (sectorSize === null) {
      crypt.keepNewVolumeKey(await crypt.format(FORMAT, request), request);
      await orWipe(() => setToken(path));
    } else
      // Whole from the first moment on, so that what an interruption leaves can be told from somebody else's.
      await withHeaderFile(async (file) => {
        const inFile = new DeviceCrypt(file, number, sectorSizes, token);
        crypt.keepNewVolumeKey(await inFile.format({ ...FORMAT, sectorSize }, request), request);
        await setToken(file);
        await orWipe(() => native().cryptHeaderRestore(path, file));
      });
    await orWipe(async () => {
      await crypt.refresh();
      await crypt.open({ method: "any", passphrase: null });
    });
    return crypt;
  }

  get poolUuid(): PoolUuid {
    return this.#token.poolUuid;
  }
  get devUuid(): DevUuid {
    return this.#token.devUuid;
  }
  get poolName(): string | null {
    return this.#token.poolName;
  }

  /** Behind those that stratisd looks into. */
  protected override get markSlot(): number {
    const taken = new Set(this.rawTokens.map(({ slot }) => slot));
    let slot = CLEVIS_SLOT + 1;
    while (taken.has(slot)) slot += 1;
    return slot;
  }

  /** Opens the device unless it is open. */
  async open({ method, passphrase }: Unlock): Promise<DeviceNumber> {
    await this.complete();
    const live = await this.mappingNumber();
    if (live !== null) {
      await this.mend(this.number, { method: method ?? "any", passphrase });
      return live;
    }
    if (method === null) throw new EngineError("No unlock mechanism was provided");
    await this.openBy(method, passphrase, (unlock) =>
      native().cryptActivate(this.container, this.mapping, unlock),
    );
    // What was interrupted in the middle of a piece was recovered by that.
    await this.refresh();
    return await this.requireMapping();
  }

  /**
   * A mapping that an earlier daemon has left can be read only when a piece that was being re-encrypted is at its end.
   * Throws EngineError when that can't be brought about now.
   */
  async mendIfOpen(): Promise<void> {
    if ((await this.mappingNumber()) === null) return;
    await this.complete();
    await this.mend(this.number);
  }

  async close(): Promise<void> {
    await removeDmDevice(this.mapping);
  }

  /** Room for the mapping on the block device as it is now. */
  async room(): Promise<Sectors> {
    const { size } = await withBlockFile(this.container, {}, (file) => file.info());
    return sectors(bytesToSectors(bytes(size)) - DEVICE_HEADER_SECTORS);
  }

  /** libcryptsetup works on all that the block device has room for. Throws EngineError where the mapping has less. */
  async requireFullSize(): Promise<void> {
    const [room, length] = [await this.room(), await liveLength(this.mapping)];
    if (room !== length)
      throw new EngineError(
        `${this.container} has room for ${room} sectors of data, of which ${length} are in use; the pool has to be ` +
          "extended to all of it first",
      );
  }

  /** Gives the mapping a size. */
  async resize(size: Sectors): Promise<void> {
    await this.openingByAny((unlock) => native().cryptResize(this.container, this.mapping, unlock, size));
  }

  /** The name of the pool, for when it is locked. */
  async setPoolName(name: string): Promise<void> {
    const token = { ...this.#token, poolName: name };
    await native().cryptSetToken(this.container, STRATIS_SLOT, printStratisToken(token));
    this.#token = token;
  }

  override async refresh(): Promise<boolean> {
    const usable = await super.refresh();
    this.#token = stratisTokenOf(this.rawTokens) ?? this.#token;
    return usable;
  }

  /** Closes the device, and leaves nothing of its header, after making sure that it still is the one we know. */
  override async wipe(): Promise<void> {
    await this.close();
    const header = await native().cryptLoad(this.container);
    const found = header === null ? null : stratisTokenOf(rawTokensOf(header));
    if (found !== null && found.devUuid !== this.devUuid)
      throw new EngineError(
        `${this.container} carries device ${found.devUuid} instead of ${this.devUuid}; it is left alone`,
      );
    await super.wipe();
    requestUdevChange(this.number);
  }
}
