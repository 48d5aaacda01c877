/** The programs of Clevis: binding a header to a server or chip, and getting secrets back (encryption.md §11). */
import { isJsonObject, parseJson, printJson } from "../../../disk/json";
import { isNativeError, native, type RunOptions, type RunResult, type Secret } from "../../../native";
import { ChainedError, EngineError } from "../../errors";
import { findProgram, programFailure } from "../programs";
import { configOfJwe, pinsOf, type AcceptedConfig, type ClevisConfig } from "./clevis-config";

/** Programs of Clevis, and those that it runs, whatever the pin. */
const REQUIRED = [
  ...["clevis", "clevis-luks-bind", "clevis-luks-unbind", "clevis-luks-unlock", "clevis-luks-regen"],
  ...["clevis-luks-common-functions", "clevis-decrypt", "jose", "jq", "mktemp"],
];
/** For each pin, so that what is missing for one does not keep the others from working. */
const REQUIRED_BY_PIN = new Map([
  ["tang", ["clevis-encrypt-tang", "clevis-decrypt-tang", "curl"]],
  ["tpm2", ["clevis-encrypt-tpm2", "clevis-decrypt-tpm2", "tpm2_createprimary", "tpm2_unseal", "tpm2_load"]],
  ["sss", ["clevis-encrypt-sss", "clevis-decrypt-sss"]],
]);
/** A server that does not answer must not hold up the pool for longer. */
const TIMEOUT_MS = 60_000;
/** Of what opens keyslots too, one after the other, which takes seconds for each, on a slow machine many. */
const CHANGE_TIMEOUT_MS = 180_000;
const MAX_SECRET_BYTES = 64;
/** Clevis is made of shell scripts, which look for programs themselves. */
const ENVIRONMENT = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"];

/** Throws EngineError naming what is missing for Clevis to work with the pins. */
async function requirePrograms(pins: Iterable<string>): Promise<void> {
  const programs = [...REQUIRED, ...[...pins].flatMap((pin) => REQUIRED_BY_PIN.get(pin) ?? [])];
  const missing: string[] = [];
  for (const program of programs) if ((await findProgram(program)) === null) missing.push(program);
  if (missing.length > 0)
    throw new EngineError(
      "Clevis has been disabled due to some of the required executables not being found on this system. Required " +
        `executables that were not found are: [${missing.join(", ")}]`,
    );
}

async function mustRun(
  program: "clevis" | "jose",
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await runWithin(program, args, options);
  // Without what it printed on standard output, which may be a secret.
  if (result.status !== 0) throw programFailure(program, args, result);
  return result;
}

async function runWithin(
  program: "clevis" | "jose",
  args: string[],
  options: RunOptions,
): Promise<RunResult> {
  const all = { timeoutMs: TIMEOUT_MS, environment: ENVIRONMENT, ...options };
  try {
    return await native().run((await findProgram(program)) ?? program, args, all);
  } catch (error) {
    if (!isNativeError(error) || error.code !== "ETIMEDOUT") throw error;
    throw new EngineError(
      `Command failed: cmd: ${[program, ...args].join(" ")}: it did not end within ${all.timeoutMs / 1000} s, and was ` +
        "killed",
    );
  }
}

/** What lets Clevis change a header: the slot of a token with a key in the keyring, or a passphrase. */
export type Authorisation = { token: number } | { secret: Secret };

/** Binds the header on `device`. `slot`: of the token, null for the lowest free one. */
export async function bind(
  device: string,
  config: AcceptedConfig,
  authorisation: Authorisation,
  slot: number | null,
): Promise<void> {
  await requirePrograms(pinsOf(config));
  const byToken = "token" in authorisation;
  const args = [
    ...["luks", "bind"],
    ...(config.trust ? ["-y"] : []),
    ...["-d", device],
    ...(byToken ? ["-e", String(authorisation.token)] : []),
    ...(slot === null ? [] : ["-t", String(slot)]),
    ...[config.pin, config.config],
  ];
  const input = byToken ? {} : { stdinLine: authorisation.secret };
  await mustRun("clevis", args, { timeoutMs: CHANGE_TIMEOUT_MS, keyring: true, ...input });
}

/** Kills the keyslot and removes its token. */
export async function unbind(device: string, keyslot: number): Promise<void> {
  await requirePrograms([]);
  const args = ["luks", "unbind", "-d", device, "-s", String(keyslot), "-f"];
  await mustRun("clevis", args, { timeoutMs: CHANGE_TIMEOUT_MS });
}

/** Binds a keyslot anew with the configuration that it has, which is `config`. */
export async function regenerate(device: string, keyslot: number, config: ClevisConfig): Promise<void> {
  await requirePrograms(pinsOf(config));
  const args = ["luks", "regen", "-d", device, "-s", String(keyslot), "-q"];
  await mustRun("clevis", args, { timeoutMs: CHANGE_TIMEOUT_MS, keyring: true });
}

/** The passphrase that a token of Clevis keeps. To be wiped by the caller. */
export async function decrypt(tokenJson: string): Promise<Secret> {
  try {
    const token = parseJson(tokenJson);
    const jwe = isJsonObject(token) ? token["jwe"] : undefined;
    if (jwe === undefined) throw new EngineError("the token does not appear to be a Clevis token");
    await requirePrograms(pinsOf(configOfJwe(jwe)));
    const { stdout: compact } = await mustRun("jose", ["jwe", "fmt", "-i-", "-c"], {
      stdin: Buffer.from(printJson(jwe)),
    });
    const { secret } = await mustRun("clevis", ["decrypt"], {
      stdin: Buffer.from(compact),
      secretOutput: true,
    });
    if (secret === undefined || secret.bytes === 0) throw new EngineError("clevis printed nothing");
    if (secret.bytes > MAX_SECRET_BYTES) {
      secret.wipe();
      throw new EngineError(`the passphrase has more than ${MAX_SECRET_BYTES} bytes`);
    }
    return secret;
  } catch (error) {
    throw new ChainedError("Failed to retrieve Clevis passphrase", error);
  }
}
