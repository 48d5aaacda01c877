/** Will the filesystems that are to be mounted at boot be there by then? */
import { commandLine } from "../hints/shell";
import { hyphenated, parseUuid } from "../format/uuid";
import { asDictionary, asText } from "../values";
import type { Check } from "./check";
import type { DaemonView } from "./daemon-view";
import { failure, note, ok, warning, type Finding } from "./findings";
import { fstabLines, type FstabLine } from "./fstab";
import { unlockingOfRunning, unlockingOfStopped, type Unlocking } from "./unlocking";

const FSTAB = "/etc/fstab";
const REQUIRES = "x-systemd.requires=";
const DAEMON = "stratisd.service";
const AFTER = "x-systemd.after=";
const WAIT_FOR_DAEMON = `nofail,${AFTER}${DAEMON}`;
const LINK = /^\/dev\/stratis\/([^/]+)\/([^/]+)$/;
const MAPPER = /^\/dev\/(?:mapper\/)?stratis-1-([0-9a-f]{32})-thin-fs-([0-9a-f]{32})$/;
/** The unit that starts one pool. */
const SETUP = /^stratis-fstab-setup(-with-network)?@(.+)\.service$/;

interface KnownPool {
  readonly uuid: string;
  /** null: it is stopped. */
  readonly filesystems: ReadonlyMap<string, string> | null;
  /** null: it is not known. */
  readonly unlocking: Unlocking | null;
}

/** Pools by name, their filesystems by name with their UUIDs. */
function knownPools({ objects, stoppedPools }: DaemonView): Map<string, KnownPool> {
  const known = new Map<string, KnownPool>();
  for (const [uuid, facts] of asDictionary(stoppedPools)) {
    const pool = asDictionary(facts);
    const name = pool.get("name");
    if (name !== undefined)
      known.set(asText(name), { uuid, filesystems: null, unlocking: unlockingOfStopped(pool) });
  }
  for (const pool of objects.all("pool")) {
    const filesystems = objects
      .matching("filesystem", { Pool: pool.path })
      .map((filesystem): [string, string] => [
        filesystem.get("Name", asText),
        filesystem.get("Uuid", asText),
      ]);
    known.set(pool.get("Name", asText), {
      uuid: pool.get("Uuid", asText),
      filesystems: new Map(filesystems),
      unlocking: unlockingOfRunning(pool),
    });
  }
  return known;
}

/** The names of a filesystem by its UUID. */
function namesOf(uuid: string, pools: ReadonlyMap<string, KnownPool>): [string, string] | null {
  for (const [pool, { filesystems }] of pools)
    for (const [name, candidate] of filesystems ?? []) if (candidate === uuid) return [pool, name];
  return null;
}

interface StratisLine extends FstabLine {
  /** Names; null: the line does not tell them, and neither does stratisd. */
  readonly names: readonly [string, string] | null;
}

/** The line, if it is about a filesystem of Stratis. */
function stratisLine(line: FstabLine, pools: ReadonlyMap<string, KnownPool>): StratisLine[] {
  const [, pool, filesystem] = LINK.exec(line.device) ?? [];
  if (pool !== undefined && filesystem !== undefined) return [{ ...line, names: [pool, filesystem] }];
  const [, , mapped] = MAPPER.exec(line.device) ?? [];
  if (mapped !== undefined) return [{ ...line, names: namesOf(mapped, pools) }];
  const uuid = /^UUID="?([^"]+)"?$/i.exec(line.device)?.[1];
  const digits = uuid === undefined ? null : parseUuid(uuid);
  const names = digits === null ? null : namesOf(digits, pools);
  return names === null ? [] : [{ ...line, names }];
}

function deviceFindings({ device, names }: StratisLine): Finding[] {
  if (!MAPPER.test(device)) return [];
  const path = names === null ? "/dev/stratis/POOL/FILESYSTEM" : `/dev/stratis/${names[0]}/${names[1]}`;
  return [warning(`names ${device}, which is no name to rely on`, `Write ${path} instead.`)];
}

/** What only the daemon's own unit demands, which starts after everything that a boot has to wait for. */
function daemonFindings({ options }: StratisLine): Finding[] {
  const findings: Finding[] = [];
  if (!options.includes("nofail"))
    findings.push(
      failure(
        `requires ${DAEMON} but lacks the option nofail, so that units wait for each other at boot`,
        "Add nofail to its options, or require stratis-fstab-setup@POOL_UUID.service instead.",
      ),
    );
  if (options.includes(`${REQUIRES}${DAEMON}`))
    findings.push(
      warning(
        `requires ${DAEMON}, so that it is unmounted when the daemon is restarted`,
        `Write ${AFTER}${DAEMON} instead.`,
      ),
    );
  return findings;
}

/** The option, or options, by which a pool is set up early in the boot. */
const setupOptions = (uuid: string, network: boolean): string =>
  network
    ? `_netdev,${REQUIRES}stratis-fstab-setup-with-network@${hyphenated(uuid)}.service`
    : `${REQUIRES}stratis-fstab-setup@${hyphenated(uuid)}.service`;

/** Whether the unit waits for the network where the pool needs it to be unlocked, and only there. */
function networkFindings(unit: string, waits: boolean, { uuid, unlocking }: KnownPool): Finding[] {
  if (unlocking?.networkNeeds == null) return [];
  const { networkNeeds, passphrase } = unlocking;
  if (waits && !networkNeeds.includes(true))
    return [
      note(
        `requires ${unit}, and so waits for the network, which nothing that unlocks its pool needs`,
        `Write ${setupOptions(uuid, false)} instead, without _netdev.`,
      ),
    ];
  if (waits || networkNeeds.length === 0 || networkNeeds.includes(false)) return [];
  const what = `requires ${unit}, which does not wait for the network, by which its pool is unlocked`;
  const advice = `Write ${setupOptions(uuid, true)} instead.`;
  return [
    passphrase ? warning(`${what}: its passphrase is asked for at boot`, advice) : failure(what, advice),
  ];
}

/** Of a line that waits for the daemon alone, which unlocks no pool by itself. */
function lockedFindings({ uuid, unlocking }: KnownPool): Finding[] {
  if (unlocking?.encrypted !== true) return [];
  const network = unlocking.networkNeeds?.includes(true) === true;
  return [
    warning(
      `waits only for ${DAEMON}, which does not unlock the encrypted pool by itself`,
      `Write ${setupOptions(uuid, network)} instead.`,
    ),
  ];
}

function unitFindings(unit: string, line: StratisLine, pool: KnownPool | undefined): Finding[] {
  const { options } = line;
  if (unit === DAEMON) return daemonFindings(line);
  if (!unit.endsWith(".service"))
    return [warning(`requires "${unit}", which is no name of a unit`, `Write ${REQUIRES}${unit}.service.`)];
  const [, network, instance = ""] = SETUP.exec(unit) ?? [];
  if (instance === "") return [];
  const findings: Finding[] = [];
  if (network !== undefined && !options.includes("_netdev"))
    findings.push(
      failure(
        `requires ${unit} but lacks the option _netdev, so that units wait for each other at boot`,
        "Add _netdev to its options.",
      ),
    );
  if (pool !== undefined && parseUuid(instance) !== pool.uuid)
    findings.push(
      failure(
        `requires ${unit}, which starts another pool`,
        `The UUID of its pool is ${hyphenated(pool.uuid)}.`,
      ),
    );
  if (pool !== undefined) findings.push(...networkFindings(unit, network !== undefined, pool));
  return findings;
}

function bootFindings(line: StratisLine, pool: KnownPool | undefined): Finding[] {
  const { options, mountPoint } = line;
  // The root filesystem is mounted by the initial RAM disk; what is not mounted at boot keeps nothing waiting.
  if (mountPoint === "/" || options.includes("noauto")) return [];
  const units = options
    .filter((option) => option.startsWith(REQUIRES) || option === `${AFTER}${DAEMON}`)
    .map((option) => option.slice(option.indexOf("=") + 1))
    .filter((unit) => unit.startsWith("stratis"));
  const findings = units.flatMap((unit) => unitFindings(unit, line, pool));
  if (pool !== undefined && units.length > 0 && units.every((unit) => unit === DAEMON))
    findings.push(...lockedFindings(pool));
  if (units.length === 0)
    findings.push(
      warning(
        "does not wait for stratisd, so that it may be mounted too early at boot",
        `Add ${WAIT_FOR_DAEMON} to its options.`,
      ),
    );
  if (!options.includes("nofail") && !units.includes(DAEMON))
    findings.push(
      note(
        "has not the option nofail, so that the machine does not come up when the pool cannot be started",
        "Add nofail to its options, unless a passphrase is asked for at boot, or nothing works without the filesystem.",
      ),
    );
  return findings;
}

function objectFindings({ names }: StratisLine, pools: ReadonlyMap<string, KnownPool> | null): Finding[] {
  if (names === null || pools === null) return [];
  const [poolName, name] = names;
  const pool = pools.get(poolName);
  if (pool === undefined) return [warning(`is about pool "${poolName}", which stratisd does not know`)];
  if (pool.filesystems === null)
    return [
      warning(
        `is about pool "${poolName}", which is stopped`,
        `Start it with: ${commandLine("stratis", "pool", "start", "--name", poolName)}`,
      ),
    ];
  if (pool.filesystems.has(name)) return [];
  return [
    failure(
      `is about filesystem "${name}", which pool "${poolName}" does not have`,
      `See which it has with: ${commandLine("stratis", "filesystem", "list", poolName)}`,
    ),
  ];
}

function lineFindings(line: StratisLine, pools: ReadonlyMap<string, KnownPool> | null): Finding[] {
  const pool = line.names === null ? undefined : pools?.get(line.names[0]);
  const findings = [
    ...deviceFindings(line),
    ...(line.type === "xfs" || line.type === "auto"
      ? []
      : [failure(`has the type ${line.type}`, "All filesystems of Stratis are of the type xfs.")]),
    ...bootFindings(line, pool),
    ...objectFindings(line, pools),
  ];
  const where = `${FSTAB}, line ${line.number} (${line.mountPoint})`;
  if (findings.length === 0) return [ok(`${where} is in order`)];
  return findings.map((finding) => ({ ...finding, message: `${where} ${finding.message}` }));
}

export const fstabCheck: Check = {
  name: "fstab",
  make: async ({ machine, daemon }) => {
    const text = await machine.read(FSTAB);
    if (text === null) return [note(`there is no ${FSTAB}`)];
    const pools = "view" in daemon ? knownPools(daemon.view) : null;
    const lines = fstabLines(text).flatMap((line) =>
      stratisLine(line, pools ?? new Map<string, KnownPool>()),
    );
    if (lines.length === 0) return [ok(`${FSTAB} mounts no filesystem of Stratis`)];
    return lines.flatMap((line) => lineFindings(line, pools));
  },
};
