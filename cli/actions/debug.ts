/** The debug commands of every level (cli.md §3.8, §12.9). */
import { stat, writeFile } from "node:fs/promises";
import type { Action, Context } from "../context";
import { deviceNumberOf, formatDeviceNumber } from "../../src/dm/device-number";
import { NotFoundError, SynthUeventError, UnintendedCommandError } from "../errors";
import { jsonText } from "../format/json";
import { pythonList } from "../format/python-literal";
import { selectorText, type ManagedObject, type ManagedObjects, type Selector } from "../managed-objects";
import { MANAGER } from "../names";
import { changing } from "../output/change";
import { documentText } from "../output/document";
import { maybeSelectorOf, poolSelectorOf } from "../parser/shared";
import { asText } from "../values";
import { jsonFrom } from "./shared";

export const refresh = changing(async ({ stratisd: connect }) => {
  const stratisd = await connect();
  return {
    effects: { changed: [{ kind: "daemon", name: "stratisd" }] },
    perform: async () => {
      await stratisd.request({ interface: MANAGER, member: "RefreshState" });
      return undefined;
    },
  };
});

/** The file by which the kernel can be made to announce the device. Throws SynthUeventError. */
async function ueventFile(path: string): Promise<string> {
  try {
    const facts = await stat(path, { bigint: true });
    if (!facts.isBlockDevice()) throw new Error(`${path} is not a block device`);
    // Not the name: names with a slash, and links, have others in sysfs.
    return `/sys/dev/block/${formatDeviceNumber(deviceNumberOf(facts.rdev))}/uevent`;
  } catch (error) {
    throw new SynthUeventError(error instanceof Error ? error : new Error(String(error)));
  }
}

export const uevent = changing(async ({ values }) => {
  const device = values.text("device");
  const file = await ueventFile(device);
  return {
    effects: { changed: [{ kind: "block device", device }] },
    perform: async () => {
      try {
        // The file must be there: none is to be made.
        await writeFile(file, "change", { flag: "r+" });
        return undefined;
      } catch (error) {
        throw new SynthUeventError(error instanceof Error ? error : new Error(String(error)));
      }
    },
  };
});

async function objectsOf({ stratisd: connect }: Context): Promise<ManagedObjects> {
  return (await connect()).managedObjects();
}

/** What the required --name or --uuid chose. */
function selectorOf({ values }: Context): Selector {
  const selector = maybeSelectorOf(values);
  if (selector === undefined) throw new TypeError("The grammar requires --name or --uuid");
  return selector;
}

function printPath({ values, print }: Context, { path }: ManagedObject): void {
  print(values.flag("--json") ? documentText([["object_path", path]]) : `${path}\n`);
}

export const poolObjectPath: Action = async (context) => {
  printPath(context, (await objectsOf(context)).select("pool", selectorOf(context)));
};

/** Names of filesystems are unique in a pool only. */
function checkUnambiguous(objects: ManagedObjects, found: readonly ManagedObject[], name: string): void {
  if (found.length < 2) return;
  const pools = new Map(objects.all("pool").map((pool) => [pool.path, pool.get("Name", asText)]));
  const owners = found
    .map((filesystem) => filesystem.get("Pool", asText))
    .map((path) => pools.get(path) ?? path);
  throw new UnintendedCommandError(
    `The filesystem name ${name} is ambiguous: filesystems of this name are in the pools ${pythonList(owners)}; ` +
      "use --uuid instead",
  );
}

export const filesystemObjectPath: Action = async (context) => {
  const objects = await objectsOf(context);
  const selector = selectorOf(context);
  if (selector.by === "name")
    checkUnambiguous(objects, objects.matching("filesystem", { Name: selector.value }), selector.value);
  printPath(context, objects.select("filesystem", selector));
};

/** Block devices have no names: either of their paths is taken for one. */
export const blockdevObjectPath: Action = async (context) => {
  const objects = await objectsOf(context);
  const selector = selectorOf(context);
  if (selector.by === "uuid") {
    printPath(context, objects.select("block device", selector));
    return;
  }
  const device = objects
    .all("block device")
    .find((candidate) =>
      ["Devnode", "PhysicalPath"].some((name) => candidate.maybe(name, asText) === selector.value),
    );
  if (device === undefined) throw new NotFoundError("block device", selectorText(selector));
  printPath(context, device);
};

function printMetadata({ values, print }: Context, text: unknown): void {
  const pretty = values.flag("--pretty");
  const json = jsonFrom(asText(text), "Metadata");
  print(
    values.flag("--json")
      ? documentText([["metadata", json]])
      : `${jsonText(json, { indented: pretty, sorted: pretty })}\n`,
  );
}

export const poolMetadata: Action = async (context) => {
  const { values } = context;
  const stratisd = await context.stratisd();
  const pool = (await stratisd.managedObjects()).select("pool", poolSelectorOf(values));
  const body = [!values.flag("--written")];
  printMetadata(
    context,
    await stratisd.request({ ...pool.target, member: "Metadata", signature: "b", body }),
  );
};

export const filesystemMetadata: Action = async (context) => {
  const { values } = context;
  const stratisd = await context.stratisd();
  const pool = (await stratisd.managedObjects()).pool(values.text("pool_name"));
  const name = values.maybeText("--fs-name");
  const text = await stratisd.request({
    ...pool.target,
    member: "FilesystemMetadata",
    signature: "(bs)b",
    body: [name === undefined ? [false, ""] : [true, name], !values.flag("--written")],
  });
  printMetadata(context, text);
};
