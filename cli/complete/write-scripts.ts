/** `npm run completions`: writes the completion scripts into the directory that is named on the command line. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCommand } from "../parser/root";
import { bashScript } from "./scripts/bash";
import { fishScript } from "./scripts/fish";
import { nodesOf } from "./scripts/tables";
import { zshScript } from "./scripts/zsh";

/** File name to content, with the names that the shells look for. */
export function completionScripts(): Record<"stratis.bash" | "_stratis" | "stratis.fish", string> {
  const nodes = nodesOf(rootCommand);
  return {
    "stratis.bash": bashScript(nodes),
    _stratis: zshScript(nodes),
    "stratis.fish": fishScript(nodes),
  };
}

if (require.main === module) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: write-scripts DIRECTORY");
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(completionScripts()))
    writeFileSync(join(directory, name), content);
}
