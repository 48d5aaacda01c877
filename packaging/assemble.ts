/**
 * `node assemble.js DIRECTORY COPYRIGHT [INTERPRETER]`: puts what is JavaScript of an installation into DIRECTORY, and
 * writes whose work all of it is to the file COPYRIGHT. Prints a line for each command: its name. The commands' first
 * lines name the INTERPRETER.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { packageRoot } from "../src/native";
import { bundleCommand } from "./command";
import { copyrightText } from "./copyright";

const COMMAND = "stratis";
/** Programs of their own execute the daemons' scripts, and the daemons that of the worker. */
const DAEMONS = ["stratisd", "stratisd-min", "stratisd-worker"];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly type: string;
  readonly bin: Readonly<Record<string, string>>;
}

const read = (...parts: string[]): string => readFileSync(path.join(packageRoot, ...parts), "utf8");

/** The files that `npm run build` made the bundles of dist/bin of. */
function filesOfBundles(): string[] {
  const { inputs } = JSON.parse(read("dist", "bin", "bundles.json")) as { inputs: Record<string, unknown> };
  return Object.keys(inputs);
}

function makeExecutable(file: string, interpreter: string | undefined): void {
  if (interpreter !== undefined)
    writeFileSync(file, readFileSync(file, "utf8").replace(/^#!.*/, `#!${interpreter}`));
  chmodSync(file, 0o755);
}

async function assemble(directory: string, copyright: string, interpreter?: string): Promise<void> {
  const manifest = JSON.parse(read("package.json")) as Manifest;
  const scripts = path.join(directory, "dist", "bin");
  mkdirSync(scripts, { recursive: true });
  const files = [...filesOfBundles(), ...(await bundleCommand(path.join(scripts, `${COMMAND}.js`)))];
  for (const name of DAEMONS) {
    const file = path.join(scripts, `${name}.js`);
    copyFileSync(path.join(packageRoot, "dist", "bin", `${name}.js`), file);
    // Not a program by itself.
    chmodSync(file, 0o644);
  }
  for (const name of Object.keys(manifest.bin).filter((program) => !DAEMONS.includes(program))) {
    const file = path.join(scripts, `${name}.js`);
    if (name !== COMMAND) copyFileSync(path.join(packageRoot, "dist", "bin", `${name}.js`), file);
    makeExecutable(file, interpreter);
    process.stdout.write(`${name}\n`);
  }
  // The addon is looked for beside the nearest package.json (src/native/index.ts).
  const { name, version, license, type } = manifest;
  writeFileSync(
    path.join(directory, "package.json"),
    `${JSON.stringify({ name, version, license, type }, null, 2)}\n`,
  );
  mkdirSync(path.dirname(copyright), { recursive: true });
  writeFileSync(copyright, copyrightText(packageRoot, read("packaging", "copyright"), files));
}

const [directory, copyright, interpreter] = process.argv.slice(2);
if (directory === undefined || copyright === undefined)
  throw new Error("usage: assemble.js DIRECTORY COPYRIGHT [INTERPRETER]");
assemble(directory, copyright, interpreter).catch((error: unknown) => {
  process.stderr.write(`assemble.js: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
