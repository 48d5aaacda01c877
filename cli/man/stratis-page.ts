/** stratis(8), made from the grammar, the fields of the lists, the alerts, and the prose in this directory. */
import { ALERT_TEXTS } from "../actions/alerts";
import { CLIENT_VERSION } from "../daemon-version";
import { ALERT_CODES } from "../parser/pool";
import { optionsOf } from "../parser/parse";
import { rootCommand } from "../parser/root";
import { commandEntries, groupText, sentence, shownOption } from "./commands";
import { ENVIRONMENT, EXAMPLES, EXIT_STATUS, KEYS_TEXT, NOTES, RESTRICTIONS } from "./sections";
import { commonOptionEntries, jsonSection, listSection } from "./output-sections";
import { PAGE_DATE } from "./page-date";
import { bold, entry, example, paragraph, prose, section, subsection, title } from "./roff";

const globalOptions = (): string[] =>
  optionsOf(rootCommand)
    .filter(({ hidden }) => hidden !== true)
    .flatMap((option) => entry(shownOption(option), [sentence(option.help)]));

/** The groups of commands, each with all that is below it. */
const commandSections = (): string[] =>
  (rootCommand.commands ?? []).flatMap((command) => [
    subsection(command.name),
    groupText(command),
    ...commandEntries([rootCommand, command]),
  ]);

const alerts = (): string[] =>
  ALERT_CODES.flatMap((code) => {
    const { summary, explanation } = ALERT_TEXTS[code];
    return entry(bold(code), [`${summary.replace(/\.$/, "")}. ${explanation}`]);
  });

const texts = ([first = "", ...more]: readonly string[]): string[] => [
  prose(first),
  ...more.flatMap((text) => paragraph(text)),
];

const entries = (list: readonly (readonly [string, string])[]): string[] =>
  list.flatMap(([term, text]) => entry(bold(term), [text]));

export const stratisPage = (): string =>
  [
    title("stratis", 8, PAGE_DATE, `stratis ${CLIENT_VERSION}`),
    section("name"),
    prose("stratis - configure Stratis storage: pools, filesystems and their devices"),
    section("synopsis"),
    `${bold("stratis")} [${prose("*global options*")}] ${prose("*command*")} [${prose("*options*")}] ${prose("*arguments*")}`,
    section("description"),
    ...texts([
      "Stratis makes pools of block devices, and filesystems in pools that take only the space that they use and of which " +
        "snapshots can be made at any time. `stratis` is its command: a client of the daemon stratisd(8), which does the work.",
      "A word that names a command cannot be abbreviated. Options can, as far as they are unambiguous, except those that " +
        "are told to be an addition to stratis-cli, which are to be spelled in full. Options may stand anywhere after the " +
        "command. After `--` everything is an argument.",
    ]),
    section("global options"),
    prose("These stand before the command. The first one is an option of every command."),
    ...globalOptions(),
    section("commands"),
    ...commandSections(),
    section("options of all commands of a kind"),
    ...commonOptionEntries(),
    section("size specification format for input"),
    prose(
      "A whole number directly followed by a unit, which is one of B, KiB, MiB, GiB, TiB and PiB: `10GiB`. There must be no " +
        "blank between them.",
    ),
    section("keys"),
    ...texts(KEYS_TEXT),
    section("list output fields"),
    ...listSection(),
    section("json output"),
    ...jsonSection(),
    section("alerts"),
    ...alerts(),
    section("environment"),
    ...entries(ENVIRONMENT),
    section("exit status"),
    ...entries(EXIT_STATUS),
    section("restrictions"),
    ...texts(RESTRICTIONS),
    section("notes"),
    ...texts(NOTES),
    section("examples"),
    ...EXAMPLES.flatMap(({ text, lines }, index) => [
      ...(index === 0 ? [prose(text)] : paragraph(text)),
      ...example(lines),
    ]),
    section("see also"),
    prose("`stratisd`(8), `xfs_quota`(8), `cryptsetup`(8), `clevis`(1), `systemd.mount`(5)"),
    "",
  ].join("\n");
