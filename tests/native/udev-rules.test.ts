/**
 * The rules run through a small model of udev: within one rule all matches of properties come first, then PROGRAM,
 * IMPORT and RESULT, then the assignments, whatever their order in the text (systemd's udev).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/native";
import { builtProgram, runSync } from "./support";

type Properties = Record<string, string>;

interface Token {
  key: string;
  attribute: string;
  operator: string;
  value: string;
}

interface Outcome {
  links: string[];
  properties: Properties;
  programs: number;
}

function parseRules(): Token[][] {
  const text = fs.readFileSync(path.join(packageRoot, "udev", "61-stratisd.rules"), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const pattern = /([A-Z]+)(?:\{(\w+)\})?(==|!=|\+=|=)"([^"]*)"(?:, |$)/gy;
    const tokens = Array.from(line.matchAll(pattern), ([, key, attribute, operator, value]) => ({
      key: key ?? "",
      attribute: attribute ?? "",
      operator: operator ?? "",
      value: value ?? "",
    }));
    const used = Array.from(line.matchAll(pattern), ([whole]) => whole.length).reduce((a, b) => a + b, 0);
    assert.equal(used, line.length, `every part of the rule is understood: ${line}`);
    return tokens;
  });
}

const rules = parseRules();

function globMatches(pattern: string, text: string): boolean {
  return new RegExp(`^${pattern.replaceAll("?", ".").replaceAll("*", ".*")}$`).test(text);
}

class Event {
  readonly links: string[] = [];
  programs = 0;
  private result = "";

  constructor(
    readonly properties: Properties,
    private readonly database: Properties,
  ) {}

  run(): Outcome {
    let label: string | undefined;
    for (const rule of rules) {
      if (label !== undefined && !rule.some(({ key, value }) => key === "LABEL" && value === label)) continue;
      label = this.apply(rule);
    }
    assert.equal(label, undefined, "every GOTO has its LABEL behind it");
    return { links: this.links, properties: this.properties, programs: this.programs };
  }

  /** The label to jump to. */
  private apply(rule: Token[]): string | undefined {
    for (const phase of ["ACTION ENV", "PROGRAM", "IMPORT", "RESULT"]) {
      const tokens = rule.filter(({ key }) => phase.split(" ").includes(key));
      if (!tokens.every((token) => this.holds(token))) return undefined;
    }
    for (const { value } of rule.filter(({ key }) => key === "SYMLINK")) this.links.push(this.expand(value));
    return rule.find(({ key }) => key === "GOTO")?.value;
  }

  private holds(token: Token): boolean {
    switch (token.key) {
      case "ACTION":
      case "ENV": {
        const actual = this.properties[token.key === "ACTION" ? "ACTION" : token.attribute] ?? "";
        return globMatches(token.value, actual) === (token.operator === "==");
      }
      case "PROGRAM":
        this.result = this.execute(token.value) ?? "";
        return this.result !== "";
      case "RESULT":
        return globMatches(token.value, this.result);
      default:
        return token.attribute === "db" ? this.importFromDatabase(token.value) : this.importFrom(token.value);
    }
  }

  private importFromDatabase(name: string): boolean {
    const value = this.database[name];
    if (value !== undefined) this.properties[name] = value;
    return value !== undefined;
  }

  private importFrom(command: string): boolean {
    const output = this.execute(command);
    const [, name, value] = /^(\w+)=(.*)$/.exec(output ?? "") ?? [];
    if (name === undefined || value === undefined) return false;
    this.properties[name] = value;
    return true;
  }

  private expand(text: string): string {
    return text.replace(/\$env\{(\w+)\}/g, (_, name: string) => this.properties[name] ?? "");
  }

  private execute(command: string): string | undefined {
    this.programs += 1;
    const [name = "", ...args] = this.expand(command)
      .split(" ")
      .filter((word) => word !== "");
    const result = runSync(builtProgram(name), args);
    return result.status === 0 ? result.stdout.trimEnd() : undefined;
  }
}

const handle = (properties: Properties, database: Properties = {}): Outcome =>
  new Event({ ...properties }, database).run();

const UUID = "bc5302fd-8bc6-405f-8f98-b39ecf13c088";
const DEVICE = {
  ACTION: "change",
  DM_NAME: `stratis-1-${"0a".repeat(16)}-thin-fs-${UUID.replaceAll("-", "")}`,
  ID_FS_UUID: UUID,
};
const SYNTHETIC = {
  ...DEVICE,
  SYNTH_UUID: UUID,
  SYNTH_ARG_STRATISPOOLNAME: "NV4XA33PNQ",
  SYNTH_ARG_STRATISFSNAME: "MZZTC",
};
const STORED = { STRATIS_POOL_NAME: "old", STRATIS_FS_NAME: "name" };

test("the daemon's event makes the link", () => {
  const { links, properties } = handle(SYNTHETIC, STORED);
  assert.deepEqual(links, ["stratis/mypool/fs1"]);
  assert.equal(properties["STRATIS_POOL_NAME"], "mypool");
  assert.equal(properties["STRATIS_FS_NAME"], "fs1");
});

test("any other change keeps the link and runs no program", () => {
  assert.deepEqual(handle(DEVICE, STORED), {
    links: ["stratis/old/name"],
    properties: { ...DEVICE, ...STORED },
    programs: 0,
  });
  assert.deepEqual(handle(DEVICE).links, []);
});

test("an add event restores the names but makes no link", () => {
  const outcome = handle({ ...SYNTHETIC, ACTION: "add" }, STORED);
  assert.deepEqual([outcome.links, outcome.programs], [[], 0]);
  assert.equal(outcome.properties["STRATIS_POOL_NAME"], "old");
});

test("an event for another filesystem falls back to the stored names, or keeps the new ones", () => {
  for (const ID_FS_UUID of ["00000000-8bc6-405f-8f98-b39ecf13c088", ""]) {
    assert.deepEqual(handle({ ...SYNTHETIC, ID_FS_UUID }, STORED).links, ["stratis/old/name"]);
    assert.deepEqual(handle({ ...SYNTHETIC, ID_FS_UUID }).links, ["stratis/mypool/fs1"]);
  }
});

test("other devices get no link and run no program", () => {
  const names = [
    "",
    "vg-lv",
    `stratis-1-${"0a".repeat(16)}-thin-pool`,
    "stratis-2-a-thin-fs-b",
    "stratis-1-x-thin-fs-a",
  ];
  for (const DM_NAME of names) {
    const { links, programs } = handle({ ...SYNTHETIC, DM_NAME }, STORED);
    assert.deepEqual([links, programs], [[], 0], DM_NAME);
  }
});

test("arguments that can't be decoded make no link of their own", () => {
  const { links } = handle({ ...SYNTHETIC, SYNTH_ARG_STRATISFSNAME: "0" });
  assert.deepEqual(links, []);
  assert.deepEqual(handle({ ...SYNTHETIC, SYNTH_ARG_STRATISFSNAME: "0" }, STORED).links, [
    "stratis/old/name",
  ]);
});
