/** The completion script for zsh. */
import type { Candidate } from "../candidates";
import type { Node } from "./tables";
import { introduction, quoted } from "./tables";

/** "word:description", as _describe takes them. */
const entries = (candidates: readonly Candidate[]): string =>
  candidates
    .map(({ word, description }) => quoted(`${word.replaceAll(":", "\\:")}:${description}`))
    .join(" ");

const descentCases = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ path, descents }) =>
    descents.map((descent) => `    ${quoted(`${path}/${descent.word}`)}) at=${quoted(descent.path)} ;;`),
  );

const tableCases = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ path, subCommands, options }) => [
    `    ${quoted(path)})`,
    `      commands=(${entries(subCommands)})`,
    `      options=(${entries(options)}) ;;`,
  ]);

const FUNCTION = `_stratis() {
  local at="" index line word description
  local -a commands options found
  for ((index = 2; index < CURRENT; index++)); do
    _stratis_descend "\${(Q)words[index]}"
  done
  _stratis_table

  local current="\${(Q)words[CURRENT]}"
  if [[ "$current" == -* && "$current" != *=* ]]; then
    _describe -o option options
    return
  fi
  if (( \${#commands} > 0 )) && [[ "$current" != -* ]]; then
    _describe command commands
    return
  fi
  local attached=0
  if [[ "$current" == --*=* ]]; then
    attached=1
    compset -P '--[^=]#='
  fi
  for line in "\${(@f)$("\${(Q)words[1]}" --complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ "$line" == $'\\t'files ]]; then
      _files
      return
    fi
    word="\${line%%$'\\t'*}"
    description="\${line#*$'\\t'}"
    [[ -n "$word" ]] || continue
    (( attached )) && word="\${word#*=}"
    found+=("\${word//:/\\\\:}:$description")
  done
  (( \${#found} > 0 )) && _describe value found
}`;

export const zshScript = (nodes: readonly Node[]): string =>
  [
    "#compdef stratis",
    ...introduction("zsh"),
    "",
    "_stratis_descend() {",
    '  case "$at/$1" in',
    ...descentCases(nodes),
    "  esac",
    "}",
    "",
    "_stratis_table() {",
    '  case "$at" in',
    ...tableCases(nodes),
    "  esac",
    "}",
    "",
    FUNCTION,
    "",
    // When autoloaded the file is the body of the function; when sourced it registers it.
    'if [[ "$funcstack[1]" == _stratis ]]; then',
    '  _stratis "$@"',
    "elif (( $+functions[compdef] )); then",
    "  compdef _stratis stratis",
    "fi",
    "",
  ].join("\n");
