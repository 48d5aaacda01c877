/** stratisd 3.9.2, to measure beside ours: built from its sources by whoever runs the benchmarks. */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../tests/vm/harness/image";

/** Below the project, because the guest sees that. */
export const STAGED = "build/bench";
const PROGRAM = "target/release/stratisd";

/**
 * The folder of its sources, built for Debian 13, which STRATIS_BENCH_UPSTREAM names; null: it names none. Throws when
 * nothing is built there.
 */
export function upstreamSources(): string | null {
  const sources = process.env["STRATIS_BENCH_UPSTREAM"] ?? "";
  if (sources === "") return null;
  if (!existsSync(path.join(sources, PROGRAM)))
    throw new Error(`STRATIS_BENCH_UPSTREAM is ${sources}, where there is no ${PROGRAM}`);
  return sources;
}

/** Puts the program where the guest sees it. Returns its path there. */
export function stageUpstream(sources: string): string {
  const folder = path.join(PROJECT, STAGED);
  mkdirSync(folder, { recursive: true });
  copyFileSync(path.join(sources, PROGRAM), path.join(folder, "stratisd"));
  return `/project/${STAGED}/stratisd`;
}
