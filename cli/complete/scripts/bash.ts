/** The completion script for bash. */
import type { Node } from "./tables";
import { introduction, quoted } from "./tables";

const words = (candidates: Node["options"]): string => quoted(candidates.map(({ word }) => word).join(" "));

const descentCases = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ path, descents }) =>
    descents.map((descent) => `    ${quoted(`${path}/${descent.word}`)}) path=${quoted(descent.path)} ;;`),
  );

const tableCases = (nodes: readonly Node[]): string[] =>
  nodes.map(
    ({ path, subCommands, options }) =>
      `    ${quoted(path)}) commands=${words(subCommands)}; options=${words(options)} ;;`,
  );

/**
 * bash parts words at characters such as "=" and ":" too, and replaces only the last part; what the user typed is put
 * together again from the line.
 */
const FUNCTION = `_stratis() {
  local line="\${COMP_LINE:0:COMP_POINT}" index piece rest
  local -a typed=()
  for ((index = 0; index <= COMP_CWORD; index++)); do
    piece="\${COMP_WORDS[index]}"
    rest="\${line#"\${line%%[![:space:]]*}"}"
    if ((index == COMP_CWORD)); then piece="$rest"; fi
    if ((index > 0)) && [[ "$rest" == "$line" && -n "$rest" ]]; then
      typed[\${#typed[@]} - 1]+="$piece"
    else
      typed+=("$piece")
    fi
    line="\${rest#"$piece"}"
  done
  local word="\${typed[\${#typed[@]} - 1]}"
  # The part of the word that bash does not replace.
  local kept=""
  case "$word" in
    *[=:]*) if [[ "$COMP_WORDBREAKS" == *[=:]* ]]; then kept="\${word%"\${word##*[=:]}"}"; fi ;;
  esac

  local path="" commands="" options=""
  for ((index = 1; index < \${#typed[@]} - 1; index++)); do
    _stratis_descend "\${typed[index]}"
  done
  _stratis_table

  COMPREPLY=()
  local candidate
  if [[ "$word" == -* && "$word" != *=* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [[ -n "$commands" && "$word" != -* ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$word"))
  else
    while IFS= read -r candidate; do
      case "$candidate" in
        $'\\t'files) mapfile -t COMPREPLY < <(compgen -f -- "\${word#"$kept"}"); compopt -o filenames 2>/dev/null ;;
        *) candidate="\${candidate%%$'\\t'*}"; COMPREPLY+=("\${candidate#"$kept"}") ;;
      esac
    done < <("\${typed[0]}" --complete "\${typed[@]:1}" 2>/dev/null)
    case "\${COMPREPLY[*]-}" in
      *,) compopt -o nospace 2>/dev/null ;;
    esac
  fi
}
complete -F _stratis stratis`;

export const bashScript = (nodes: readonly Node[]): string =>
  [
    ...introduction("bash"),
    "",
    "_stratis_descend() {",
    '  case "$path/$1" in',
    ...descentCases(nodes),
    "  esac",
    "}",
    "",
    "_stratis_table() {",
    '  case "$path" in',
    ...tableCases(nodes),
    "  esac",
    "}",
    "",
    FUNCTION,
    "",
  ].join("\n");
