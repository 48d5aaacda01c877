/** Which devices carry a header of Stratis, and belong to no pool that stratisd knows? */
import { formatSize } from "../format/size";
import { commandLine } from "../hints/shell";
import { blockDevices, type BlockDevice } from "../system/block-devices";
import { asDictionary, asItems, asText } from "../values";
import type { Check } from "./check";
import type { DaemonView } from "./daemon-view";
import { note, ok, warning } from "./findings";

/** Paths of the devices of all pools, running or not. */
function ownedPaths({ objects, stoppedPools }: DaemonView): Set<string> {
  const started = objects
    .all("block device")
    .flatMap((device) => ["Devnode", "PhysicalPath"].map((name) => device.maybe(name, asText) ?? ""));
  const stopped = [...asDictionary(stoppedPools).values()].flatMap((pool) =>
    asItems(asDictionary(pool).get("devs")).map((device) => asText(asDictionary(device).get("devnode"))),
  );
  return new Set([...started, ...stopped]);
}

/** One that other devices are built on is a path to the device that counts, such as one of a multipath device. */
const carriesHeader = ({ facts, held }: BlockDevice): boolean =>
  facts.get("ID_FS_TYPE") === "stratis" && !held;

export const devicesCheck: Check = {
  name: "devices",
  make: async ({ machine, daemon }) => {
    const carriers = (await blockDevices(machine.root)).filter(carriesHeader);
    if (!("view" in daemon)) {
      const paths = carriers.map(({ path }) => path).join(", ");
      return carriers.length === 0 ? [] : [note(`these devices carry a header of Stratis: ${paths}`)];
    }
    const owned = ownedPaths(daemon.view);
    const stray = carriers.filter(({ path, name }) => !owned.has(path) && !owned.has(`/dev/${name}`));
    if (stray.length === 0)
      return [ok("every device with a header of Stratis belongs to a pool that stratisd knows")];
    return stray.map(({ path, bytes }) =>
      warning(
        `${path} (${formatSize(bytes)}) carries a header of Stratis, and belongs to no pool that stratisd knows`,
        `Have stratisd look again with: stratis debug refresh. See what is on it with: ${commandLine("wipefs", path)}`,
      ),
    );
  },
};
