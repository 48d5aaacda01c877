import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next";
import fc from "fast-check";
import { isObjectPath, outgoing, sendableText } from "../../../src/dbus/signature";

test("values that do not fit are refused", () => {
  const misfits: [string, unknown][] = [
    ["y", 256],
    ["y", -1],
    ["q", 65536],
    ["u", 4294967296],
    ["u", 1.5],
    ["u", 1n],
    ["t", 1],
    ["t", -1n],
    ["t", 2n ** 64n],
    ["b", 1],
    ["s", undefined],
    ["o", ""],
    ["o", "relative"],
    ["o", "/trailing/"],
    ["o", "/no-dash"],
    ["(bs)", [true]],
    ["as", "text"],
    ["as", [1]],
    ["a{sv}", []],
    ["a{sv}", { key: "not a variant" }],
    ["v", "not a variant"],
  ];
  for (const [signature, value] of misfits)
    assert.throws(() => outgoing(signature, value), TypeError, `${signature} ${typeof value}`);
});

test("values that fit stay as they are", () => {
  const fitting: [string, unknown][] = [
    ["t", 2n ** 64n - 1n],
    ["y", 255],
    ["(b(oao))", [false, ["/", ["/a/b_1"]]]],
    ["a(u(ss))", [[1, ["tang", "{}"]]]],
    ["a{sa{sv}}", { a: { b: new Variant<unknown>("(bt)", [true, 1n]) } }],
  ];
  for (const [signature, value] of fitting) assert.deepEqual(outgoing(signature, value), value);
});

test("any text becomes one that a D-Bus string can hold, and a good one stays", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      (text) => {
        const sent = sendableText(text);
        assert.ok(!sent.includes("\0"));
        assert.equal(Buffer.from(sent, "utf8").toString("utf8"), sent);
        assert.equal(sent.length, text.length);
        assert.equal(sendableText(sent), sent);
      },
    ),
  );
  assert.equal(sendableText("☺ 𝌏"), "☺ 𝌏");
  assert.deepEqual(outgoing("a{ss}", { "a\0": "\udc00" }), { "a\ufffd": "\ufffd" });
});

test("object paths", () => {
  for (const path of ["/", "/a", "/org/storage/stratis3/0"]) assert.ok(isObjectPath(path));
  for (const path of ["", "a", "/a/", "//", "/a//b", "/a b", "/ä"]) assert.ok(!isObjectPath(path));
});
