/** Options that say where a key comes from (cli.md §10). */
import type { Exclusive, Option } from "./grammar";

/** `title` names the group in the help. */
export function keyInput(title: string, required: boolean): { options: Option[]; exclusive: Exclusive } {
  const options: Option[] = [
    {
      name: "--keyfile-path",
      metavar: "PATH",
      source: { what: "file" },
      group: title,
      help: "path of a file that holds the key, all of its bytes",
    },
    {
      name: "--capture-key",
      words: "none",
      group: title,
      help: "ask for the key and read it from standard input",
    },
  ];
  return { options, exclusive: { options, required } };
}
