/**
 * stratisd 3.9.2, to run beside ours: STRATIS_UPSTREAM names the folder of its sources, in which whoever runs tests or
 * benchmarks with it has built it for Debian 13 (target/release/stratisd and stratisd-tools).
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import { UPSTREAM_STAGED } from "../guest/upstream";
import { PROJECT } from "./image";

const PROGRAMS = ["stratisd", "stratisd-tools"];

/** The folder of its sources; null: none is named. Throws when not all is built there. */
export function upstreamSources(): string | null {
  const sources = process.env["STRATIS_UPSTREAM"] ?? "";
  if (sources === "") return null;
  const missing = PROGRAMS.map((program) => path.join("target", "release", program)).find(
    (built) => !existsSync(path.join(sources, built)),
  );
  if (missing !== undefined) throw new Error(`STRATIS_UPSTREAM is ${sources}, where there is no ${missing}`);
  return sources;
}

/** Puts the programs where the guest sees them. Returns the path of stratisd there. */
export function stageUpstream(sources: string): string {
  const folder = path.join(PROJECT, UPSTREAM_STAGED);
  mkdirSync(folder, { recursive: true });
  for (const program of PROGRAMS)
    copyFileSync(path.join(sources, "target", "release", program), path.join(folder, program));
  return path.join("/project", UPSTREAM_STAGED, "stratisd");
}
