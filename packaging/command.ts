/**
 * Makes one file of the command `stratis`.
 *
 * The command's sources load what only some runs need by `load("./module")` (cli/load.ts), of which a bundler knows
 * nothing. It is told to take these for require(), whose modules it keeps in the one file but evaluates on first use.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { build, type Plugin } from "esbuild-wasm";
import { packageRoot } from "../src/native";

const COMMAND = path.join(packageRoot, "cli");
const CALL = /\bload\("(\.\/[^"]+)"\)/g;

/** The argument of load() is relative to cli/, wherever the call is. */
function moduleFile(specifier: string): string {
  const file = `${path.join(COMMAND, specifier)}.ts`;
  if (!existsSync(file)) throw new Error(`load("${specifier}") leads to ${file}, which does not exist`);
  return file;
}

/** The text of a module of the command, with require() for load(). Throws for a load() that it can't follow. */
export function requiring(text: string, file: string): string {
  const changed = text.replace(
    CALL,
    (_, specifier: string) => `require(${JSON.stringify(moduleFile(specifier))})`,
  );
  // It would look for a file that the package does not have.
  if (/\bload\(/.test(changed))
    throw new Error(`${file} has a load() whose argument is not a text of the form "./module"`);
  return changed;
}

const lazyModules: Plugin = {
  name: "lazy-modules",
  setup(bundling) {
    bundling.onLoad({ filter: /\.ts$/ }, ({ path: file }) =>
      file.startsWith(`${COMMAND}${path.sep}`)
        ? { contents: requiring(readFileSync(file, "utf8"), file), loader: "ts" }
        : undefined,
    );
  },
};

/** Writes the bundle to `file`. Returns the files that it is made of, relative to the root. */
export async function bundleCommand(file: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: packageRoot,
    entryPoints: [path.join(COMMAND, "stratis.ts")],
    outfile: path.resolve(file),
    bundle: true,
    platform: "node",
    target: "node20",
    external: ["usocket", "x11"],
    plugins: [lazyModules],
    metafile: true,
    logLevel: "warning",
  });
  return Object.keys(metafile.inputs);
}
