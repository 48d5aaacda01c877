/** What the grammar fixes, in the form that the completion scripts of all shells start from. */
import type { Command } from "../../parser/grammar";
import { optionCandidates, type Candidate } from "../candidates";

export interface Node {
  /** "/pool/encryption"; the root's is "". */
  readonly path: string;
  readonly subCommands: readonly Candidate[];
  readonly options: readonly Candidate[];
  /** Words that lead further down, with the path that they lead to: names and aliases of all sub-commands. */
  readonly descents: readonly { readonly word: string; readonly path: string }[];
}

/** The command and all below it. */
export function nodesOf(command: Command, path = ""): Node[] {
  const children = command.commands ?? [];
  const node: Node = {
    path,
    subCommands: children
      .filter(({ hidden }) => hidden !== true)
      .map(({ name, help }) => ({ word: name, description: help })),
    options: optionCandidates(command, new Map()),
    descents: children.flatMap(({ name, aliases = [] }) =>
      [name, ...aliases].map((word) => ({ word, path: `${path}/${name}` })),
    ),
  };
  return [node, ...children.flatMap((child) => nodesOf(child, `${path}/${child.name}`))];
}

/** The first lines of each script. */
export const introduction = (shell: string): string[] => [
  `# Completion of stratis(8) for ${shell}. Made from the command's grammar: change that instead.`,
  "# Commands and options are written down here; names of pools and the like come from the command.",
];

/** In single quotes for a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
