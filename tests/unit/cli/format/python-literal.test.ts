import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../../../cli/format/json";
import { pythonList, pythonLiteral, pythonString } from "../../../../cli/format/python-literal";

test("strings are quoted as Python quotes them", () => {
  const vectors = [
    ["a", "'a'"],
    ["it's", '"it\'s"'],
    [`it's "so"`, `'it\\'s "so"'`],
    ["back\\slash", "'back\\\\slash'"],
    ["a\nb\tc\r", "'a\\nb\\tc\\r'"],
    ["\u0001\u00a0\u200b\u{e0001}", "'\\x01\\xa0\\u200b\\U000e0001'"],
    ["漢字 \u{1f600}", "'漢字 \u{1f600}'"],
  ] as const;
  for (const [text, literal] of vectors) assert.equal(pythonString(text), literal);
});

test("lists and the values of JSON are Python's", () => {
  assert.equal(pythonList([]), "[]");
  assert.equal(pythonList(["/dev/sdb", "/dev/sdc"]), "['/dev/sdb', '/dev/sdc']");
  assert.equal(
    pythonLiteral(parseJson('{"url":"http://t","stratis:tang:trust_url":true,"n":[null,1,false,1.0,{}]}')),
    "{'url': 'http://t', 'stratis:tang:trust_url': True, 'n': [None, 1, False, 1.0, {}]}",
  );
});
