/** `doctor`: is everything there that Stratis needs, and are the pools well? */
import type { Action, Context } from "../context";
import { askDaemon } from "../doctor/daemon-view";
import { examine, type CheckedFinding } from "../doctor/examination";
import type { Level } from "../doctor/findings";
import { machineAt } from "../doctor/machine";
import type { Json } from "../format/json";
import { paletteOf, type Paint, type Palette } from "../output/colour";
import { documentText } from "../output/document";

const LEVELS: readonly Level[] = ["ok", "note", "warning", "error"];
/** From here on the examination has found something. */
const isTrouble = ({ level }: CheckedFinding): boolean => level === "warning" || level === "error";

const findingJson = ({ check, level, message, advice }: CheckedFinding): Json =>
  new Map<string, Json>([
    ["check", check],
    ["level", level],
    ["message", message],
    ["advice", advice ?? null],
  ]);

function textOf(findings: readonly CheckedFinding[], palette: Palette): string {
  const paints: Readonly<Record<Level, Paint>> = {
    ok: palette.good,
    note: palette.remark,
    warning: palette.warning,
    error: palette.error,
  };
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  const levelWidth = Math.max(...LEVELS.map((level) => level.length));
  const indentation = " ".repeat(levelWidth + checkWidth + 4);
  return findings
    .map(
      ({ check, level, message, advice }) =>
        `${paints[level](level.padEnd(levelWidth))}  ${check.padEnd(checkWidth)}  ${message}\n` +
        (advice === undefined ? "" : `${indentation}${advice}\n`),
    )
    .join("");
}

function printFindings({ values, io, print }: Context, findings: readonly CheckedFinding[]): void {
  if (values.flag("--json")) {
    print(
      documentText([
        ["healthy", !findings.some(isTrouble)],
        ["findings", findings.map(findingJson)],
      ]),
    );
    return;
  }
  const shown = values.flag("--quiet") ? findings.filter(isTrouble) : findings;
  if (shown.length > 0) print(textOf(shown, paletteOf(io)));
}

export const doctor: Action = async (context) => {
  const machine = machineAt(context.values.maybeText("--root") ?? "/");
  const findings = await examine({ machine, daemon: await askDaemon(context), context });
  printFindings(context, findings);
  if (findings.some(isTrouble)) context.fail();
};
