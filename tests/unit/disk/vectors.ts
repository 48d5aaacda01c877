/** The worked examples of on-disk-format.md §18, and what tests of this folder share. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import { DiskFormatError } from "../../../src/disk/errors";
import type { Segment } from "../../../src/disk/space";
import type { StaticHeader } from "../../../src/disk/static-header";
import { sectors } from "../../../src/units";
import { devUuid, poolUuid } from "../../../src/uuid";

/** Compiled tests run from the output folder; fixtures stay in the source tree. */
function fixturesFolder(): string {
  for (let folder = __dirname; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    try {
      readFileSync(path.join(folder, "package.json"));
      return path.join(folder, "tests", "fixtures");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error(`No package.json above ${__dirname}`);
}

export const FIXTURES = fixturesFolder();
export const gunzipFixture = (name: string): Buffer => gunzipSync(readFileSync(path.join(FIXTURES, name)));

export const fromHex = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");

export const HEADER: StaticHeader = {
  deviceSize: sectors(20_971_520n),
  version: 2,
  poolUuid: poolUuid("0b5c1a2e-9d3f-4c61-8a7b-2f4e6d8c0a13"),
  devUuid: devUuid("5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f"),
  mdaSize: sectors(2032n),
  reservedSize: sectors(6144n),
  flags: 0n,
  initializationTime: 1_748_779_200n,
};
export const DEVICE_BYTES = HEADER.deviceSize * 512n;

/** §18.1, filled up with zeros to 512 bytes. */
export const SIGBLOCK_V2 = Buffer.concat([
  fromHex(`
    ae d0 be f1 21 53 74 72 61 30 74 69 73 86 ff 02
    5e 41 72 68 00 00 40 01 00 00 00 00 02 00 00 00
    30 62 35 63 31 61 32 65 39 64 33 66 34 63 36 31
    38 61 37 62 32 66 34 65 36 64 38 63 30 61 31 33
    35 65 31 66 34 63 33 61 37 62 32 64 34 65 39 30
    39 63 38 62 31 61 32 62 33 63 34 64 35 65 36 66
    f0 07 00 00 00 00 00 00 00 18 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 c0 40 3c 68 00 00 00 00`),
  Buffer.alloc(384),
]);

/** §18.2 */
export const INITIAL_HEADER = fromHex(`
  af ff cd 8f 00 00 00 00 00 00 00 00 00 00 00 00
  00 00 00 00 00 00 00 00 00 00 00 00 01 01 00 00`);

/** §18.3 */
export const RECORD_V2 =
  '{"name":"p1","backstore":{"data_tier":{"blockdev":{"allocs":[[{"parent":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f",' +
  '"start":8192,"length":20371456}]],"devs":[{"uuid":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f",' +
  '"integrity_meta_allocs":[[20381688,589832]]}]},"integrity_spec":{"tag_spec":"512b","journal_size":262144,' +
  '"block_size":4096,"allocate_superblock":true}},"cap":{"allocs":[[34816,12288],[47104,12288],[59392,19263488],' +
  '[19322880,1048576]],"crypt_meta_allocs":[[0,34816]]}},"flex_devs":{"meta_dev":[[19322880,1048576]],' +
  '"thin_meta_dev":[[34816,12288]],"thin_data_dev":[[59392,19263488]],"thin_meta_dev_spare":[[47104,12288]]},' +
  '"thinpool_dev":{"data_block_size":2048,"feature_args":["no_discard_passdown","skip_block_zeroing"],' +
  '"fs_limit":100,"enable_overprov":true},"started":true}';

/** §18.3, the same pool encrypted, after a re-encryption. */
export const RECORD_V2_ENCRYPTED = RECORD_V2.replace(
  "[[34816,12288],[47104,12288],[59392,19263488],[19322880,1048576]]",
  "[[0,12288],[12288,12288],[24576,19263488],[19288064,1048576]]",
)
  .replace('"meta_dev":[[19322880,1048576]]', '"meta_dev":[[19288064,1048576]]')
  .replace('"thin_meta_dev":[[34816,12288]]', '"thin_meta_dev":[[0,12288]]')
  .replace('"thin_data_dev":[[59392,19263488]]', '"thin_data_dev":[[24576,19263488]]')
  .replace('"thin_meta_dev_spare":[[47104,12288]]', '"thin_meta_dev_spare":[[12288,12288]]')
  .replace(
    '"started":true}',
    '"started":true,"features":["Encryption","KeyDescriptionEnabled"],"last_reencrypt":1748779200}',
  );

/** §18.5 */
export const RECORD_V1 =
  '{"name":"p1","backstore":{"data_tier":{"blockdev":{"allocs":[[{"parent":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f",' +
  '"start":8192,"length":20963328}]],"devs":[{"uuid":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f","user_info":"shelf 3",' +
  '"hardware_info":"0x5000c500a1b2c3d4"}]}},"cap":{"allocs":[[0,20963328]]}},"flex_devs":{"meta_dev":' +
  '[[19914752,1048576]],"thin_meta_dev":[[0,12288]],"thin_data_dev":[[24576,19890176]],"thin_meta_dev_spare":' +
  '[[12288,12288]]},"thinpool_dev":{"data_block_size":2048,"feature_args":["no_discard_passdown",' +
  '"skip_block_zeroing"],"fs_limit":100,"enable_overprov":true},"started":true}';

/** §18.6 */
export const CACHE_TIER =
  '"cache_tier":{"blockdev":{"allocs":[[{"parent":"7c0a4d52-3b1e-4f86-a9d7-0e5f6c7b8a91","start":1056768,' +
  '"length":7331840}],[{"parent":"7c0a4d52-3b1e-4f86-a9d7-0e5f6c7b8a91","start":8192,"length":1048576}]],' +
  '"devs":[{"uuid":"7c0a4d52-3b1e-4f86-a9d7-0e5f6c7b8a91"}]}}';

export const RECORD_V2_CACHE = RECORD_V2.replace(
  '"crypt_meta_allocs":[[0,34816]]}},',
  `"crypt_meta_allocs":[[0,34816]]},${CACHE_TIER}},`,
);

/** For expected values. */
export const segment = (start: number, length: number): Segment => ({
  start: sectors(BigInt(start)),
  length: sectors(BigInt(length)),
});

/** Whatever the input: a result, or the one error that parsers may throw. */
export function valueOrFormatError(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof DiskFormatError, `threw ${String(error)}`);
    assert.notEqual(error.message, "");
  }
}

/** For assert.throws: a DiskFormatError whose message matches. */
export const formatError =
  (message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof DiskFormatError, `threw ${String(error)}`);
    assert.match(error.message, message);
    return true;
  };
