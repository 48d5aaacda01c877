/** `npm run man`: writes the manual pages into the directory that is named on the command line. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stratisPage } from "./stratis-page";
import { stratisdPage } from "./stratisd-page";

/** File name to content. */
export const manualPages = (): Record<"stratis.8" | "stratisd.8", string> => ({
  "stratis.8": stratisPage(),
  "stratisd.8": stratisdPage(),
});

if (require.main === module) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: write-pages DIRECTORY");
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(manualPages())) writeFileSync(join(directory, name), content);
}
