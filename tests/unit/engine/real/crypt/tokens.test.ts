import assert from "node:assert/strict";
import { test } from "node:test";
import { printJson, type JsonValue } from "../../../../../src/disk/json";
import { acceptConfig, configOfJwe, pinsOf } from "../../../../../src/engine/real/crypt/clevis-config";
import {
  bindingsOf,
  featuresOf,
  readTokens,
  type UnlockToken,
} from "../../../../../src/engine/real/crypt/tokens";

const sealed = (header: JsonValue): string => Buffer.from(printJson(header)).toString("base64url");
const EC = { crv: "P-521", kty: "EC", x: "AMHq", y: "AYdM" };
const tang = (url: string): JsonValue => ({
  alg: "ECDH-ES",
  clevis: {
    pin: "tang",
    tang: {
      url,
      adv: {
        keys: [
          { ...EC, alg: "ECMR", key_ops: ["deriveKey"] },
          { ...EC, alg: "ES512", key_ops: ["verify"] },
        ],
      },
    },
  },
});
const tpm2: JsonValue = { clevis: { pin: "tpm2", tpm2: { hash: "sha256" } } };
const token = (slot: number, value: JsonValue): { slot: number; json: string } => ({
  slot,
  json: printJson(value),
});
const keyToken = (slot: number, description: string, keyslots: string[] = ["0"]) =>
  token(slot, { type: "luks2-keyring", keyslots, key_description: description });
const clevisToken = (slot: number, header: JsonValue) =>
  token(slot, { type: "clevis", keyslots: ["2"], jwe: { protected: sealed(header), tag: "" } });

/** Of tokens that are all ours, or of no interest. */
function methodsOf(tokens: { slot: number; json: string }[]): UnlockToken[] {
  const { methods, foreign } = readTokens(tokens);
  assert.deepEqual(foreign, []);
  return methods;
}

test("tokens are read as bindings by slot, and others are left alone", () => {
  const found = methodsOf([
    clevisToken(4, tang("http://t")),
    keyToken(1, "stratis-1-key-mykey"),
    keyToken(2, "somebody-elses"),
    keyToken(3, "stratis-1-key-"),
    token(7, { type: "systemd-tpm2", keyslots: ["5"] }),
    clevisToken(0, tpm2),
  ]);
  assert.deepEqual(
    found.map(({ slot, kind, keyslot }) => [slot, kind, keyslot]),
    [
      [0, "clevis", 2],
      [1, "key", 0],
      [4, "clevis", 2],
    ],
  );
  const { keys, clevis, freeSlots } = bindingsOf(found, 0);
  assert.deepEqual(keys, [{ slot: 1, description: "mykey" }]);
  assert.deepEqual(clevis[0], { slot: 0, pin: "tpm2", config: "{}" });
  assert.match(clevis[1]?.config ?? "", /^\{"url":"http:\/\/t","thp":"[\w-]{43}"\}$/);
  assert.equal(freeSlots, 12);
  assert.deepEqual(featuresOf(found), ["Encryption", "KeyDescriptionEnabled", "ClevisEnabled"]);
});

test("the thumbprint is that of RFC 7638", () => {
  // The key of the golden pool's tang server, and what stratisd shows for it.
  const key = {
    ...{ alg: "ES512", crv: "P-521", key_ops: ["verify"], kty: "EC" },
    x: "AMHqlhA8bZsRny_OjwAex8Qx3U_uIy33z3wKllrBJBVm3Nm-feQfRC7iFFc22ptbJRaohsJZp3b8HwJntZDHq8wr",
    y: "AYdMkEREGJ-9faaAoEgPn2PfF_A0YzIaBR9808riPAfIO3oJ4FSWLN5IM6x9NX6eBtht0kN8HgdG3jR7RzFRe8",
  };
  const header = { clevis: { pin: "tang", tang: { url: "http://127.0.0.1:8080", adv: { keys: [key] } } } };
  const { config } = configOfJwe({ protected: sealed(header) });
  assert.match(config, /"thp":"[\w-]{43}"/);
});

test("several keyslots, as during a re-encryption, or none, are no keyslot", () => {
  const keyslot = (list: string[]) => methodsOf([keyToken(1, "stratis-1-key-k", list)])[0]?.keyslot;
  assert.deepEqual([keyslot(["3"]), keyslot([]), keyslot(["0", "1"]), keyslot(["x"])], [3, null, null, null]);
});

test("shared secrets are read back with all of their parts", () => {
  const sss: JsonValue = {
    clevis: {
      pin: "sss",
      sss: {
        t: 2n,
        jwe: [`${sealed(tang("http://a"))}.x`, `${sealed(tang("http://b"))}.y`, `${sealed(tpm2)}.z`],
      },
    },
  };
  const { pin, config } = configOfJwe({ protected: sealed(sss) });
  const parsed = JSON.parse(config) as { t: number; pins: { tang: { url: string }[]; tpm2: object[] } };
  assert.equal(pin, "sss");
  assert.equal(parsed.t, 2);
  assert.deepEqual(
    parsed.pins.tang.map(({ url }) => url),
    ["http://a", "http://b"],
  );
  assert.deepEqual(parsed.pins.tpm2, [{}]);
});

test("tokens of our types that make no sense are told of, keep their slot, and take nothing from the others", () => {
  let nested: JsonValue = tpm2;
  for (let depth = 0; depth < 25; depth += 1)
    nested = { clevis: { pin: "sss", sss: { t: 1n, jwe: [`${sealed(nested)}.x`] } } };
  const bad: [JsonValue, RegExp][] = [
    [{ type: "clevis", keyslots: ["0"] }, /no protected header/],
    [{ type: "clevis", jwe: { protected: "!!" } }, /JSON/],
    [
      { type: "clevis", jwe: { protected: sealed({ clevis: { pin: "yubikey" } }) } },
      /Unsupported clevis pin "yubikey"/,
    ],
    [{ type: "clevis", jwe: { protected: sealed({ clevis: { pin: "tang", tang: {} } }) } }, /URL/],
    [
      {
        type: "clevis",
        jwe: { protected: sealed({ clevis: { pin: "tang", tang: { url: "u", adv: { keys: [EC] } } } }) },
      },
      /Verification key not found/,
    ],
    [{ type: "clevis", jwe: { protected: sealed(nested) } }, /recursion limit/],
    [{ type: "luks2-keyring", keyslots: [] }, /key description is not text/],
    [[], /not a JSON object/],
  ];
  for (const [value, reason] of bad) {
    const { methods, foreign } = readTokens([
      keyToken(9, "stratis-1-key-k"),
      token(5, value),
      clevisToken(1, tpm2),
    ]);
    assert.deepEqual(
      methods.map(({ slot }) => slot),
      [1, 9],
    );
    const [found, ...more] = foreign;
    assert.equal(found?.slot, 5);
    assert.match(found.reason, reason);
    assert.deepEqual(more, []);
    assert.equal(bindingsOf(methods, foreign.length).freeSlots, 12);
  }
  const keyslots = ["4", "6"];
  const pin: JsonValue = {
    type: "clevis",
    keyslots,
    jwe: { protected: sealed({ clevis: { pin: "pkcs11" } }) },
  };
  assert.deepEqual(readTokens([token(2, pin)]).foreign[0]?.keyslots, [4, 6]);
});

test("configurations to bind: every server needs a reason to be trusted", () => {
  const accepted: [string, JsonValue, string, boolean][] = [
    ["tang", { url: "http://t", thp: "abc" }, '{"url":"http://t","thp":"abc"}', false],
    ["tang", { url: "http://t", adv: {} }, '{"url":"http://t","adv":{}}', false],
    ["tang", { url: "http://t", "stratis:tang:trust_url": true }, '{"url":"http://t"}', true],
    ["tpm2", {}, "{}", false],
    [
      "sss",
      { t: 1n, "stratis:tang:trust_url": true, pins: { tang: { url: "http://t" }, tpm2: {} } },
      '{"t":1,"pins":{"tang":{"url":"http://t"},"tpm2":{}}}',
      true,
    ],
  ];
  for (const [pin, config, given, trust] of accepted)
    assert.deepEqual(acceptConfig(pin, printJson(config)), { pin, config: given, trust });
  const refused: [string, string, RegExp][] = [
    ["tang", '{"url":"http://t"}', /thumbprint or advertisement/],
    ["tang", '{"url":"http://t","thp":1}', /thumbprint or advertisement/],
    ["tang", '{"url":"http://t","stratis:tang:trust_url":"true"}', /thumbprint or advertisement/],
    ["tang", "[]", /JSON object format/],
    ["tang", "{", /Serde error/],
    ["sss", "{}", /Unexpected format/],
    ["sss", '{"t":1,"pins":{"tang":{"url":"u"}}}', /thumbprint or advertisement/],
    ["sss", '{"t":1,"pins":{"tang":[{"url":"u","thp":"x"}]}}', /JSON object format/],
    ["yubikey", "{}", /Unrecognized pin yubikey/],
  ];
  for (const [pin, config, reason] of refused) assert.throws(() => acceptConfig(pin, config), reason, config);
});

test("the pins of a configuration are its own and those of its shares, in either spelling", () => {
  const nested = { t: 1, pins: { tpm2: {}, sss: { t: 1, pins: { tang: [{ url: "a" }, { url: "b" }] } } } };
  const pins = (pin: string, config: object): string[] =>
    [...pinsOf({ pin, config: JSON.stringify(config) })].sort();
  assert.deepEqual(pins("sss", nested), ["sss", "tang", "tpm2"]);
  assert.deepEqual(pins("tang", { url: "a", pins: { tpm2: {} } }), ["tang"]);
});
