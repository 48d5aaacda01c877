/** Does the kernel have what pools are made of? */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Check } from "./check";
import { failure, note, ok, warning, type Finding } from "./findings";
import type { Machine } from "./machine";

interface Feature {
  readonly what: string;
  /** Name of the module, with underscores. */
  readonly module: string;
  /** Option of the kernel's configuration. */
  readonly option: string;
  /** What does not work without it; null: nothing does. */
  readonly neededFor: string | null;
}

const FEATURES: readonly Feature[] = [
  { what: "device-mapper", module: "dm_mod", option: "CONFIG_BLK_DEV_DM", neededFor: null },
  {
    what: "thin provisioning",
    module: "dm_thin_pool",
    option: "CONFIG_DM_THIN_PROVISIONING",
    neededFor: null,
  },
  { what: "XFS", module: "xfs", option: "CONFIG_XFS_FS", neededFor: null },
  {
    what: "device-mapper's cache",
    module: "dm_cache",
    option: "CONFIG_DM_CACHE",
    neededFor: "pools with a cache",
  },
  {
    what: "the cache policy smq",
    module: "dm_cache_smq",
    option: "CONFIG_DM_CACHE_SMQ",
    neededFor: "pools with a cache",
  },
  {
    what: "device-mapper's encryption",
    module: "dm_crypt",
    option: "CONFIG_DM_CRYPT",
    neededFor: "encrypted pools",
  },
];

type State = "present" | "loadable" | "absent" | "unknown";

interface Kernel {
  readonly release: string;
  /** Texts that tell about modules and configuration; null when the file is not there. */
  readonly builtin: string | null;
  readonly dependencies: string | null;
  readonly configuration: string | null;
}

async function configurationOf(machine: Machine, release: string): Promise<string | null> {
  const installed = await machine.read(`/boot/config-${release}`);
  if (installed !== null) return installed;
  const own = await machine.readBytes("/proc/config.gz");
  return own === null ? null : (await promisify(gunzip)(own)).toString("latin1");
}

async function kernelOf(machine: Machine): Promise<Kernel> {
  const release = ((await machine.read("/proc/sys/kernel/osrelease")) ?? "").trim();
  const modules = `/lib/modules/${release}`;
  return {
    release,
    builtin: await machine.read(`${modules}/modules.builtin`),
    dependencies: await machine.read(`${modules}/modules.dep`),
    configuration: await configurationOf(machine, release),
  };
}

/** Module names are written with hyphens or underscores. */
const listed = (text: string | null, module: string): boolean =>
  text !== null && new RegExp(`/${module.replaceAll("_", "[-_]")}\\.ko\\b`).test(text);

async function stateOf(machine: Machine, kernel: Kernel, { module, option }: Feature): Promise<State> {
  if (await machine.isThere(`/sys/module/${module}`)) return "present";
  if (listed(kernel.builtin, module)) return "present";
  if (listed(kernel.dependencies, module)) return "loadable";
  const [, value] = new RegExp(`^${option}=([ym])$`, "m").exec(kernel.configuration ?? "") ?? [];
  if (value === "y") return "present";
  const known = kernel.configuration !== null || (kernel.builtin !== null && kernel.dependencies !== null);
  return known ? "absent" : "unknown";
}

function featureFinding(state: State, { what, module, neededFor }: Feature, { release }: Kernel): Finding {
  switch (state) {
    case "present":
      return ok(`the kernel has ${what}`);
    case "loadable":
      return ok(`the kernel has ${what}, as the module ${module}, which it loads when it is needed`);
    case "unknown":
      return note(`it cannot be told whether kernel ${release} has ${what}`, `Try: modprobe ${module}`);
    case "absent":
      return (neededFor === null ? failure : warning)(
        `kernel ${release} lacks ${what} (module ${module})${neededFor === null ? "" : `, which ${neededFor} need`}`,
        "Install the package with the kernel's modules, or another kernel.",
      );
  }
}

export const kernelCheck: Check = {
  name: "kernel",
  make: async ({ machine }) => {
    const kernel = await kernelOf(machine);
    return Promise.all(
      FEATURES.map(async (feature) =>
        featureFinding(await stateOf(machine, kernel, feature), feature, kernel),
      ),
    );
  },
};
