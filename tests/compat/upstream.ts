/** Cases with stratisd 3.9.2 itself beside our daemon, in a guest. Exit status as of suite.ts. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/native";
import { stageUpstream, upstreamSources } from "../vm/harness/upstream";
import { endWith, NotRunError } from "./not-run";

const CASES = join(packageRoot, "dist", "tests", "vm", "upstream-cases");

function main(): number {
  const sources = upstreamSources();
  if (sources === null) throw new NotRunError("STRATIS_UPSTREAM names no built sources of it");
  stageUpstream(sources);
  const files = readdirSync(CASES)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(CASES, name));
  const runner = join(packageRoot, "dist", "tests", "vm", "run.js");
  const { status } = spawnSync(process.execPath, [runner, "--long", ...files], {
    stdio: "inherit",
    env: { STRATIS_VM_CASE_SECONDS: "7200", ...process.env },
  });
  return status ?? 1;
}

endWith("the cases beside stratisd 3.9.2", main);
