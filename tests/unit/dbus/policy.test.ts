/** The installed bus policy: everything for root, and reading for everybody else (dbus-api.md §18). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BUS_NAME, REVISIONS } from "../../../src/dbus/names";

type Rule = Record<string, string>;

const file = readFileSync(join(process.cwd(), "dbus-policy/stratisd.conf"), "utf8").replace(
  /<!--.*?-->/gs,
  "",
);

/** The rules of one policy element, each with its verdict as `verdict`. */
function rules(opening: string): Rule[] {
  const [, content = ""] = new RegExp(`<policy ${opening}>(.*?)</policy>`, "s").exec(file) ?? [];
  return [...content.matchAll(/<(allow|deny)((?: [a-z_]+="[^"]*")+)\/>/g)].map(
    ([, verdict = "", attributes = ""]) => ({
      verdict,
      ...Object.fromEntries(
        [...attributes.matchAll(/ ([a-z_]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
      ),
    }),
  );
}

test("root may own the name and send everything", () => {
  assert.deepEqual(rules('user="root"'), [
    { verdict: "allow", own: BUS_NAME },
    { verdict: "allow", send_destination: BUS_NAME },
  ]);
});

test("everybody else may read", () => {
  const [denyOwn, denySend, ...allowed] = rules('context="default"');
  assert.deepEqual(denyOwn, { verdict: "deny", own: BUS_NAME });
  assert.deepEqual(denySend, { verdict: "deny", send_destination: BUS_NAME });
  const freedesktop = "org.freedesktop.DBus";
  const expected = [
    `${freedesktop}.ObjectManager`,
    `${freedesktop}.Introspectable`,
    `${freedesktop}.Properties Get`,
    `${freedesktop}.Properties GetAll`,
    ...REVISIONS.flatMap((revision) => [
      `${BUS_NAME}.Report.r${revision}`,
      `${BUS_NAME}.Manager.r${revision} EngineStateReport`,
      `${BUS_NAME}.Manager.r${revision} ListKeys`,
    ]),
  ];
  for (const rule of allowed) {
    assert.equal(rule.verdict, "allow");
    assert.equal(rule.send_destination, BUS_NAME);
  }
  assert.deepEqual(
    allowed
      .map(({ send_interface: name, send_member: member }) => [name, member].filter(Boolean).join(" "))
      .sort(),
    expected.sort(),
  );
});
