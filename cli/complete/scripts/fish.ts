/** The completion script for fish. */
import type { Candidate } from "../candidates";
import type { Node } from "./tables";
import { introduction } from "./tables";

/** In single quotes for fish, which knows two escapes there. */
const fishQuoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const lines = (candidates: readonly Candidate[]): string[] =>
  candidates.map(({ word, description }) => `      echo ${fishQuoted(`${word}\t${description}`)}`);

const cases = (nodes: readonly Node[], pick: (node: Node) => readonly Candidate[]): string[] =>
  nodes
    .filter((node) => pick(node).length > 0)
    .flatMap((node) => [`    case ${fishQuoted(node.path)}`, ...lines(pick(node))]);

const descentCases = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ path, descents }) =>
    descents.flatMap((descent) => [
      `    case ${fishQuoted(`${path}/${descent.word}`)}`,
      `      echo ${fishQuoted(descent.path)}`,
    ]),
  );

const FUNCTION = `function __stratis_complete
  set -l typed (commandline -opc)
  set -l word (commandline -ct)
  set -l at ''
  for earlier in $typed[2..-1]
    set -l next (__stratis_descend "$at/$earlier")
    test -n "$next"; and set at $next
  end
  if string match -q -- '-*' "$word"; and not string match -q -- '*=*' "$word"
    __stratis_options "$at"
    return
  end
  set -l commands (__stratis_commands "$at")
  if test (count $commands) -gt 0; and not string match -q -- '-*' "$word"
    printf '%s\\n' $commands
    return
  end
  for line in ($typed[1] --complete $typed[2..-1] "$word" 2>/dev/null)
    if test "$line" = \\tfiles
      # The path alone, after the name of an option that it is attached to.
      set -l option (string match -r -- '^--[^=]+=' "$word")
      for path in (__fish_complete_path (string replace -- "$option" '' "$word"))
        echo -- "$option$path"
      end
    else
      printf '%s\\n' $line
    end
  end
end

complete -c stratis -f -a '(__stratis_complete)'`;

export const fishScript = (nodes: readonly Node[]): string =>
  [
    ...introduction("fish"),
    "",
    "function __stratis_descend",
    "  switch $argv[1]",
    ...descentCases(nodes),
    "  end",
    "end",
    "",
    "function __stratis_commands",
    "  switch $argv[1]",
    ...cases(nodes, ({ subCommands }) => subCommands),
    "  end",
    "end",
    "",
    "function __stratis_options",
    "  switch $argv[1]",
    ...cases(nodes, ({ options }) => options),
    "  end",
    "end",
    "",
    FUNCTION,
    "",
  ].join("\n");
