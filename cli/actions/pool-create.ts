/** `pool create` (cli.md §6.6, §7.2). */
import { IncoherenceError, nameConflict, PartlyDoneError, UnintendedCommandError } from "../errors";
import { MANAGER, POOL } from "../names";
import { changing } from "../output/change";
import { newDevices } from "../output/items";
import { blockdevs } from "../parser/shared";
import type { Values } from "../parser/values";
import type { Stratisd } from "../stratisd";
import { asPair, asText } from "../values";
import { encryptionArguments } from "./clevis-config";
import { checkNotInUse, requestedPaths } from "./devices-in-use";
import { changedBy } from "./changed-by";

const DEFAULT_JOURNAL_BYTES = 128n * 1024n * 1024n;
const DEFAULT_TAG_SPEC = "512b";
const GREATEST_UINT64 = (1n << 64n) - 1n;

/** journal_size `(bt)`, tag_spec `(bs)`, allocate_superblock `(bb)`: always sent as present. */
function integrityArguments(values: Values): [unknown, unknown, unknown] {
  if (values.maybeText("--integrity") === "no")
    return [
      [true, 0n],
      [true, "0b"],
      [true, false],
    ];
  const journalBytes = values.maybeInteger("--journal-size") ?? DEFAULT_JOURNAL_BYTES;
  if (journalBytes > GREATEST_UINT64)
    throw new UnintendedCommandError(
      `--journal-size value is too large; it must be no greater than ${GREATEST_UINT64} bytes.`,
    );
  return [
    [true, journalBytes],
    [true, values.maybeText("--tag-spec") ?? DEFAULT_TAG_SPEC],
    [true, true],
  ];
}

async function forbidOverprovisioning(stratisd: Stratisd, path: string, name: string): Promise<void> {
  try {
    await stratisd.set({ path, interface: POOL }, "Overprovisioning", "b", false);
  } catch (error) {
    throw new PartlyDoneError(
      `The pool ${name} was created, but overprovisioning could not be switched off for it.`,
      error,
      { created: [{ kind: "pool", name }] },
    );
  }
}

export const create = changing(async ({ values, stratisd: connect }) => {
  const name = values.text("pool_name");
  const paths = requestedPaths(values.texts(blockdevs.name));
  const stratisd = await connect();
  const objects = await stratisd.managedObjects();
  if (objects.matching("pool", { Name: name }).length > 0) throw nameConflict("pool", name);
  await checkNotInUse(objects, paths, "DATA", null);
  const body = [name, paths, ...encryptionArguments(values), ...integrityArguments(values)];
  return {
    effects: {
      created: [
        { kind: "pool", name },
        ...paths.map((device) => ({ kind: "block device", device, pool: name }) as const),
      ],
    },
    examine: async ({ checkDevices, checkKeySet, checkPoolName }) => {
      checkPoolName(objects, name);
      await checkDevices(paths);
      await checkKeySet(stratisd, values.maybeText("--key-desc"));
    },
    perform: async () => {
      const result = await stratisd.request({
        interface: MANAGER,
        member: "CreatePool",
        signature: "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
        body,
      });
      if (!changedBy(result))
        throw new IncoherenceError(
          `Expected to create the specified pool ${name} but stratisd reports that it did not actually create it`,
        );
      const [poolPath, devicePaths] = asPair(asPair(result)[1]);
      const object = asText(poolPath);
      if (values.flag("--no-overprovision")) await forbidOverprovisioning(stratisd, object, name);
      return { effects: { created: [{ kind: "pool", name, object }, ...newDevices(devicePaths, name)] } };
    },
  };
});
