/** How a program begins: from its script, from a snapshot of its loaded script, or only to become such a snapshot. */
import { writeFileSync } from "node:fs";
import { startupSnapshot } from "node:v8";
import { runMain } from "../entry";
import type { Program } from "../program";
import { describeParts, PARTS_VARIABLE } from "./parts";

/**
 * Runs `program`; but in a process that makes a snapshot (node --build-snapshot) only loads what it needs. Nothing may
 * happen there that must be different in each process: no file stays open, no random number is drawn, the addon is not
 * loaded.
 */
export function startProgram(program: Program): void {
  if (!startupSnapshot.isBuildingSnapshot()) {
    void runMain(program, "script");
    return;
  }
  const parts = process.env[PARTS_VARIABLE];
  if (parts !== undefined) writeFileSync(parts, describeParts(process.argv[1] ?? ""), { mode: 0o600 });
  startupSnapshot.setDeserializeMainFunction(() => {
    void runMain(program, "snapshot");
  });
  void import("../../engine/real/engine.js");
  // winston is what takes longest to load. Where the journal has the log it costs a start little to have it there.
  void import("../line-log.js");
}
