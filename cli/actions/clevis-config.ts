/** Clevis configurations and encryption arguments made from options (cli.md §4.7, §6.6). */
import { jsonText, type Json } from "../format/json";
import type { Values } from "../parser/values";

/** (bu): no choice of a token slot. */
export const ANY_SLOT: readonly [boolean, number] = [false, 0];

interface ClevisConfig {
  readonly pin: string;
  readonly json: string;
}

const oneLine = (entries: readonly [string, Json][]): string =>
  jsonText(new Map(entries), { indented: false, sorted: false });

/** `thumbprint` undefined: the server is trusted. */
export const tangConfig = (url: string, thumbprint: string | undefined): ClevisConfig => ({
  pin: "tang",
  json: oneLine([
    ["url", url],
    thumbprint === undefined ? ["stratis:tang:trust_url", true] : ["thp", thumbprint],
  ]),
});

export const tpm2Config: ClevisConfig = { pin: "tpm2", json: "{}" };

/** The arguments key_desc `a((bu)s)` and clevis_info `a((bu)ss)` of CreatePool and EncryptPool. */
export function encryptionArguments(values: Values): [unknown[], unknown[]] {
  const keyDescription = values.maybeText("--key-desc");
  const clevis = values.maybeText("--clevis");
  const keys = keyDescription === undefined ? [] : [[ANY_SLOT, keyDescription]];
  if (clevis === undefined) return [keys, []];
  const { pin, json } =
    clevis === "tpm2" ? tpm2Config : tangConfig(values.text("--tang-url"), values.maybeText("--thumbprint"));
  return [keys, [[ANY_SLOT, pin, json]]];
}
