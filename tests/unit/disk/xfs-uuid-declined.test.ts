/** Whatever is not as expected, changeXfsUuid() leaves alone. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { changeXfsUuid, xfsUuid } from "../../../src/disk/xfs-uuid";
import { MemoryBlockFile } from "../support/block-file";
import { editRecord, editSector, editSuperblock, locateLog, mdvImage } from "./xfs-images";

/** What makes the quick way decline, and the reason it must give. */
const DECLINED: [string, (image: MemoryBlockFile) => void, RegExp][] = [
  [
    "damaged first superblock",
    (image) => {
      image.poke(300n, Buffer.from([1]));
    },
    /First superblock: its checksum/,
  ],
  [
    "damaged secondary superblock",
    (image) => {
      const sb = image.peek(0n, 512);
      image.poke(BigInt(sb.readUInt32BE(84)) * 4096n + 300n, Buffer.from([1]));
    },
    /group 1: its checksum/,
  ],
  [
    "secondary superblock of another filesystem",
    (image) => {
      editSuperblock(image, 3, (sb) => {
        sb.fill(7, 32, 48);
      });
    },
    /group 3: its uuid is/,
  ],
  [
    "secondary superblock of another size",
    (image) => {
      editSuperblock(image, 2, (sb) => {
        sb.writeBigUInt64BE(sb.readBigUInt64BE(8) - 1n, 8);
      });
    },
    /group 2: its dataBlocks is/,
  ],
  [
    "secondary superblock with META_UUID",
    (image) => {
      editSuperblock(image, 2, (sb) => {
        sb.writeUInt32BE(sb.readUInt32BE(216) | 4, 216);
        sb.copy(sb, 248, 32, 48);
      });
    },
    /group 2: its hasMetaUuid/,
  ],
  [
    "version 4",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt16BE(0xb4a4, 100);
      });
    },
    /version is 4/,
  ],
  [
    "unknown incompatible feature",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt8(0x80, 216);
      });
    },
    /incompatible 0x80000000/,
  ],
  [
    "a filesystem that needs repair",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(sb.readUInt32BE(216) | 0x10, 216);
      });
    },
    /incompatible 0x10/,
  ],
  [
    "unknown read-only feature",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(sb.readUInt32BE(212) | 0x100, 212);
      });
    },
    /read-only compatible 0x100/,
  ],
  [
    "a feature of the log",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(1, 220);
      });
    },
    /of the log 0x1/,
  ],
  [
    "interrupted mkfs",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt8(1, 126);
      });
    },
    /interrupted/,
  ],
  [
    "realtime section",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeBigUInt64BE(1n, 16);
      });
    },
    /realtime/,
  ],
  [
    "external log",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeBigUInt64BE(0n, 48);
      });
    },
    /another device/,
  ],
  [
    "log outside of its group",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(0x7fffffff, 96);
      });
    },
    /log of 2147483647 blocks/,
  ],
  [
    "log beyond the filesystem",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeBigUInt64BE(2n ** 63n, 48);
      });
    },
    /is not within/,
  ],
  [
    "impossible sectors",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt16BE(513, 102);
      });
    },
    /sector size of 513/,
  ],
  [
    "impossible blocks",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(4095, 4);
      });
    },
    /block size of 4095/,
  ],
  [
    "more blocks than the device",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeBigUInt64BE(131_073n, 8);
      });
    },
    /go beyond/,
  ],
  [
    "tiny groups",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(1, 84);
        sb.writeUInt32BE(131_072, 88);
      });
    },
    /too small/,
  ],
  [
    "groups that don't add up",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(5, 88);
      });
    },
    /don't make/,
  ],
  [
    "no groups",
    (image) => {
      editSuperblock(image, 0, (sb) => {
        sb.writeUInt32BE(0, 88);
      });
    },
    /don't make/,
  ],
  [
    "record of another filesystem",
    (image) => {
      editRecord(image, (header) => {
        header.fill(9, 304, 320);
      });
    },
    /of filesystem 09090909/,
  ],
  [
    "record with a wrong checksum",
    (image) => {
      editRecord(
        image,
        (header) => {
          header.writeUInt32LE(12345, 32);
        },
        { reseal: false },
      );
    },
    /wrong checksum/,
  ],
  [
    "record with damaged data",
    (image) => {
      editRecord(
        image,
        (_, data) => {
          data[100] = 1;
        },
        { reseal: false },
      );
    },
    /wrong checksum/,
  ],
  [
    "record with more operations",
    (image) => {
      editRecord(image, (header) => {
        header.writeUInt32BE(2, 40);
      });
    },
    /2 operations.*not clean/,
  ],
  [
    "record that is no unmount",
    (image) => {
      editRecord(image, (_, data) => {
        data[9] = 1;
      });
    },
    /not clean/,
  ],
  [
    "record of another client",
    (image) => {
      editRecord(image, (_, data) => {
        data[8] = 0x69;
      });
    },
    /not clean/,
  ],
  [
    "record of version 1",
    (image) => {
      editRecord(image, (header) => {
        header.writeUInt32BE(1, 8);
      });
    },
    /version 1/,
  ],
  [
    "record of larger buffers than there are",
    (image) => {
      editRecord(image, (header) => {
        header.writeUInt32BE(262145, 320);
      });
    },
    /262144 that are possible/,
  ],
  [
    "record of other buffers, whose header has more blocks",
    (image) => {
      editRecord(image, (header) => {
        header.writeUInt32BE(65536, 320);
      });
    },
    /lie before the head|reaches beyond the head/,
  ],
  [
    "record of another length",
    (image) => {
      editRecord(
        image,
        (header) => {
          header.writeUInt32BE(1024, 12);
        },
        { reseal: false },
      );
    },
    /1024 bytes where/,
  ],
  [
    "record of another place",
    (image) => {
      editRecord(image, (header) => {
        header.writeUInt32BE(0, 20);
      });
    },
    /another place/,
  ],
  [
    "block written behind the head",
    (image) => {
      const { log, record } = locateLog(image);
      image.poke(record + 5n * 512n, image.peek(log + 512n, 4));
    },
    /of the log is of cycle/,
  ],
  [
    "hole in front of the head",
    (image) => {
      const { record } = locateLog(image);
      image.poke(record - 512n, Buffer.alloc(512));
    },
    /of the log is of cycle 0/,
  ],
  [
    "empty log",
    (image) => {
      const { log } = locateLog(image);
      image.poke(log, Buffer.alloc(512));
    },
    /can't be told/,
  ],
  [
    "log of one cycle",
    (image) => {
      const { log, blocks } = locateLog(image);
      image.poke(log + BigInt(blocks - 1) * 512n, image.peek(log, 512));
    },
    /can't be told/,
  ],
];

for (const [what, damage, reason] of DECLINED)
  test(`declined, with every byte left as it is: ${what}`, async () => {
    const image = mdvImage("v2_stopped");
    damage(image);
    const outcome = await changeXfsUuid(image, randomUUID());
    assert.ok(outcome !== "changed");
    assert.match(outcome.fallback, reason);
    assert.deepEqual(image.operations, []);
  });

test("a truncated device is declined", async () => {
  const whole = mdvImage("v2_stopped");
  const cut = new MemoryBlockFile(whole.size - 4096n);
  for (const { offset, data } of whole.pages()) if (offset < cut.size) cut.poke(offset, data);
  const outcome = await changeXfsUuid(cut, randomUUID());
  assert.ok(outcome !== "changed");
  assert.match(outcome.fallback, /go beyond/);
});

test("errors of the device are passed on, and nothing was written before", async () => {
  const image = mdvImage("v2_stopped");
  image.unreadable.push({ offset: locateLog(image).record, length: 512n });
  await assert.rejects(changeXfsUuid(image, randomUUID()), /input\/output error/);
  assert.deepEqual(image.operations, []);
});

test("random damage in what is read: declined and untouched, or changed to what another reader accepts", async () => {
  const sound = mdvImage("v2_stopped");
  const { log, record } = locateLog(sound);
  const groupBytes = BigInt(sound.peek(0n, 512).readUInt32BE(84)) * 4096n;
  const places = [
    0n,
    groupBytes,
    2n * groupBytes,
    3n * groupBytes,
    log,
    record,
    record + 512n,
    record + 1024n,
  ];
  const change = fc.record({
    place: fc.constantFrom(...places),
    offset: fc.integer({ min: 0, max: 511 }),
    value: fc.integer({ min: 0, max: 255 }),
    reseal: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const image = sound.clone();
      for (const { place, offset, value, reseal } of changes) {
        image.poke(place + BigInt(offset), Buffer.from([value]));
        if (reseal && place % groupBytes === 0n) editSector(image, place, () => undefined);
      }
      const wanted = "12345678-9abc-4def-8123-456789abcdef";
      const outcome = await changeXfsUuid(image, wanted);
      if (outcome === "changed") assert.equal(await xfsUuid(image), wanted);
      else {
        assert.notEqual(outcome.fallback, "");
        assert.deepEqual(image.operations, []);
      }
    }),
    { numRuns: 300 },
  );
});
