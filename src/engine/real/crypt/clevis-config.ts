/** Configurations of Clevis: judged before they are bound, and read back from bindings (encryption.md §11.4, §11.5). */
import { createHash } from "node:crypto";
import {
  isJsonArray,
  isJsonObject,
  parseJson,
  printJson,
  printJsonSorted,
  type JsonObject,
  type JsonValue,
} from "../../../disk/json";
import { ChainedError, EngineError } from "../../errors";

/** A key that only Stratis understands: servers are trusted without a thumbprint. */
export const TRUST_KEY = "stratis:tang:trust_url";
const MAX_NESTING = 20;

export interface ClevisConfig {
  pin: string;
  /** Compact JSON text. */
  config: string;
}

export interface AcceptedConfig extends ClevisConfig {
  /** Whether to trust what a server says of itself. */
  trust: boolean;
}

/** Judges what a client wants to bind. Throws EngineError. The result's configuration is what Clevis is given. */
export function acceptConfig(pin: string, config: string): AcceptedConfig {
  let value: JsonValue;
  try {
    value = parseJson(config);
  } catch (error) {
    throw new ChainedError("Serde error: the Clevis configuration is not JSON", error);
  }
  const trusted = allServersTrusted(pin, value, 0);
  let trust = false;
  if ((pin === "tang" || pin === "sss") && isJsonObject(value)) {
    trust = value[TRUST_KEY] === true;
    value = Object.fromEntries(Object.entries(value).filter(([key]) => key !== TRUST_KEY));
  }
  if (!trusted && !trust)
    throw new EngineError(
      "A thumbprint or advertisement must be provided for every Tang server or a directive to trust all Tang servers " +
        "is required",
    );
  return { pin, config: printJson(value), trust };
}

function allServersTrusted(pin: string, config: JsonValue, depth: number): boolean {
  if (depth > MAX_NESTING) throw new EngineError("Reached the recursion limit for parsing nested SSS tokens");
  switch (pin) {
    case "tpm2":
      return true;
    case "tang": {
      if (!isJsonObject(config))
        throw new EngineError("The configuration for Clevis is not in JSON object format");
      if (config["thp"] !== undefined) return typeof config["thp"] === "string";
      const adv = config["adv"];
      return adv !== undefined && (typeof adv === "string" || isJsonObject(adv));
    }
    case "sss": {
      const pins = isJsonObject(config) ? config["pins"] : undefined;
      if (pins === undefined || !isJsonObject(pins))
        throw new EngineError("Unexpected format for Clevis config");
      return Object.entries(pins)
        .map(([name, nested]) => allServersTrusted(name, nested, depth + 1))
        .every((trusted) => trusted);
    }
    default:
      throw new EngineError(`Unrecognized pin ${pin}`);
  }
}

/** All pins that a configuration uses, also those of shares. */
export function pinsOf({ pin, config }: ClevisConfig): Set<string> {
  const found = new Set<string>();
  const collect = (name: string, value: JsonValue): void => {
    found.add(name);
    const pins = isJsonObject(value) ? value["pins"] : undefined;
    if (name !== "sss" || pins === undefined || !isJsonObject(pins)) return;
    for (const [nested, configs] of Object.entries(pins))
      for (const each of isJsonArray(configs) ? configs : [configs]) collect(nested, each);
  };
  collect(pin, parseJson(config));
  return found;
}

const decoded = (base64url: string): JsonValue =>
  parseJson(Buffer.from(base64url, "base64url").toString("utf8"));

/** The pin and its configuration as a token's JWE tells them. Throws EngineError. */
export function configOfJwe(jwe: JsonValue | undefined): ClevisConfig {
  const sealed = jwe !== undefined && isJsonObject(jwe) ? jwe["protected"] : undefined;
  if (typeof sealed !== "string") throw new EngineError("it has no protected header");
  const { pin, config } = configOf(decoded(sealed), 0);
  return { pin, config: printJson(config) };
}

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return value !== undefined && isJsonObject(value) ? value[key] : undefined;
}

function configOf(header: JsonValue, depth: number): { pin: string; config: JsonObject } {
  if (depth > MAX_NESTING) throw new EngineError("Reached the recursion limit for parsing nested SSS tokens");
  const clevis = member(header, "clevis");
  const named = member(clevis, "pin");
  const pin = typeof named === "string" ? named : "";
  switch (pin) {
    case "tpm2":
      return { pin, config: {} };
    case "tang": {
      const tang = member(clevis, "tang");
      const url = member(tang, "url");
      if (typeof url !== "string") throw new EngineError("the URL of its tang server is missing");
      return { pin, config: { url, thp: thumbprint(member(member(tang, "adv"), "keys")) } };
    }
    case "sss":
      return { pin, config: sharedConfig(member(clevis, "sss"), depth) };
    default:
      throw new EngineError(`Unsupported clevis pin ${JSON.stringify(pin)}`);
  }
}

function sharedConfig(sss: JsonValue | undefined, depth: number): JsonObject {
  const [threshold, parts] = [member(sss, "t"), member(sss, "jwe")];
  if (threshold === undefined || parts === undefined || !isJsonArray(parts))
    throw new EngineError("its sss parts are missing");
  const pins: Record<string, JsonValue[]> = {};
  for (const part of parts) {
    if (typeof part !== "string") throw new EngineError("one of its sss parts is not text");
    const { pin, config } = configOf(decoded(part.split(".")[0] ?? ""), depth + 1);
    (pins[pin] ??= []).push(config);
  }
  return { t: threshold, pins };
}

/** Of the first key that a tang server only verifies with (RFC 7638). */
function thumbprint(keys: JsonValue | undefined): string {
  for (const key of keys !== undefined && isJsonArray(keys) ? keys : []) {
    if (!isJsonObject(key)) continue;
    const operations = key["key_ops"];
    if (operations === undefined || !isJsonArray(operations)) continue;
    if (operations.length !== 1 || operations[0] !== "verify") continue;
    const essential = Object.fromEntries(
      Object.entries(key).filter(([name]) => name !== "key_ops" && name !== "alg"),
    );
    return createHash("sha256").update(printJsonSorted(essential)).digest("base64url");
  }
  throw new EngineError("Verification key not found in clevis metadata");
}
