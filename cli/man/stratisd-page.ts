/** stratisd(8), made from the text of its --help and the prose below. */
import { helpText } from "../../src/daemon/options";
import { CLIENT_VERSION } from "../daemon-version";
import { PAGE_DATE } from "./page-date";
import { bold, entry, example, paragraph, prose, section, title } from "./roff";

interface HelpOption {
  readonly flags: string;
  readonly text: string;
}

const INDENTATION = /^ {12,}/;

/** The options in a help text: flags, then, after at least two blanks or on the lines below, what they are. */
export function helpOptions(help: string): HelpOption[] {
  const options: { flags: string; text: string[] }[] = [];
  const lines = help.slice(help.indexOf("Options:\n")).split("\n").slice(1);
  for (const line of lines) {
    const last = options.at(-1);
    if (INDENTATION.test(line)) {
      last?.text.push(line.trim());
      continue;
    }
    const [, flags, text = ""] = /^ {2,}(-\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
    if (flags !== undefined) options.push({ flags, text: text === "" ? [] : [text] });
  }
  return options.map(({ flags, text }) => ({ flags, text: text.join(" ") }));
}

const FILES: readonly (readonly [string, string])[] = [
  [
    "/var/cache/stratis-node/stratisd.snapshot",
    "What the next start is from, in place of the program's script: the memory of Node.js once it has loaded it, about 8 MiB. " +
      "The daemon makes it one minute after its start when it is missing, or Node.js, the program or the processor has become " +
      "another. It can be removed at any time, and is not used when anybody but root could have written it.",
  ],
  ["/run/stratisd.pid", "Locked while the daemon runs, so that there is only one."],
  ["/etc/stratis/alerts.d/", "Programs that are called for alerts, see ALERTS."],
  ["/run/stratisd/", "Where the daemon mounts the metadata of pools, out of the sight of everybody else."],
  [
    "/dev/stratis/",
    "A directory for each started pool, with a link for each filesystem. udev makes and removes them.",
  ],
  [
    "/var/log/stratis/history.log, /var/log/stratis/history.log.1",
    "The history, where the journal does not have it: lines of JSON, of at most 4 MiB each file, the second one the older. " +
      "They are for root only.",
  ],
  [
    "/usr/share/dbus-1/system.d/stratisd.conf",
    "The policy of the message bus: who may own the name of the daemon, and who may call it.",
  ],
  ["/usr/lib/udev/rules.d/61-stratisd.rules", "The rules of udev for the devices of Stratis."],
];

const JOURNAL_FIELDS: readonly (readonly [string, string])[] = [
  ["OPERATION", "The D-Bus method that was carried out, or failed."],
  ["POOL_UUID, FS_UUID, DEV_UUID", "The pools, filesystems and block devices, with hyphens."],
  ["TARGET", "The part of the daemon that the message is from, by which `RUST_LOG` chooses."],
];

const HISTORY_ENTRY: readonly (readonly [string, string])[] = [
  ["TARGET", "`stratisd::history`."],
  [
    "STRATIS_CALLER_UID, STRATIS_CALLER_PID, STRATIS_CALLER_COMM",
    "The process that asked: its user, its ID, and the name of its command. `STRATIS_CALLER_LEFT` is `true` instead if it had " +
      "gone before it could be found out who it was.",
  ],
  [
    "STRATIS_INTERFACE, OPERATION",
    "The D-Bus interface, and its method, or `Set` and a property. Of stratisd-min(8) its name, and the request.",
  ],
  ["STRATIS_OBJECT, STRATIS_POOL, POOL_UUID", "What it was about, in words, and the pool."],
  [
    "STRATIS_RESULT, STRATIS_ERROR",
    "`ok`, `unchanged` (everything was so already) or `failed`, and why it failed.",
  ],
  ["STRATIS_DURATION_MS", "How many milliseconds it took."],
];

const ALERTS: readonly (readonly [string, string])[] = [
  [
    "STRATIS_ALERT",
    "`pool-nearly-full` (90 % of its devices' size), `pool-full`, `pool-failed` or `device-gone`.",
  ],
  ["STRATIS_ALERT_STATE", "`begin` or `end`."],
  ["STRATIS_POOL_NAME, STRATIS_POOL_UUID", "The pool."],
  [
    "STRATIS_POOL_SIZE_BYTES, STRATIS_POOL_USED_BYTES, STRATIS_POOL_ALLOCATED_BYTES",
    "Of its devices. What is used is empty where it is not known.",
  ],
  [
    "STRATIS_POOL_AVAILABLE_ACTIONS",
    "What it still permits: `fully_operational`, `no_ipc_requests`, `no_pool_changes`.",
  ],
  [
    "STRATIS_DEVICE, STRATIS_DEVICE_UUID, STRATIS_DEVICE_TIER",
    "With `device-gone`: the device that was removed.",
  ],
];

const FSTAB_REQUIRES = "x-systemd.requires=";
/** Lines of /etc/fstab, and for which pools they are. */
const FSTAB: readonly { readonly text: string; readonly options: string }[] = [
  {
    text:
      "Of a pool that the daemon starts by itself, that is one whose devices are there, which was not stopped, and which needs " +
      "no passphrase: late in the boot, which does not wait for it. Without `nofail` units would wait for each other. With `x-systemd.requires=` instead, it would be " +
      "unmounted when the daemon is restarted.",
    options: "defaults,nofail,x-systemd.after=stratisd.service",
  },
  {
    text:
      "Of a pool that is set up early, before other filesystems: it is started if it is stopped, and unlocked, by a binding or a " +
      "passphrase that is asked for. If it cannot be had the boot ends in emergency mode; with `nofail`, which does not go " +
      "together with a passphrase, it goes on. The unit has the UUID of the pool, with hyphens.",
    options: `defaults,${FSTAB_REQUIRES}stratis-fstab-setup@POOL_UUID.service`,
  },
  {
    text: "Of such a pool that is unlocked by a Tang server. Without `_netdev` units would wait for each other.",
    options: `defaults,_netdev,${FSTAB_REQUIRES}stratis-fstab-setup-with-network@POOL_UUID.service`,
  },
];

const bootSection = (): string[] => [
  section("filesystems at boot"),
  prose("A filesystem is mounted at boot by a line in /etc/fstab with one of these groups of options."),
  ...FSTAB.flatMap(({ text, options }) => [
    ...paragraph(text),
    ...example([`/dev/stratis/data/home /home xfs ${options} 0 2`]),
  ]),
  ...paragraph(
    "systemd waits 6 minutes for the link in /dev/stratis, counted from the beginning of the boot. On a machine that takes " +
      "longer add, for example, `x-systemd.device-timeout=20min`. `stratis doctor` looks for lines that will not work.",
  ),
  ...paragraph(
    "Where the boot has ended in emergency mode, `systemctl start stratisd-min-postinitrd` brings up stratisd-min(8), which " +
      "needs no message bus and is asked by stratis-min(8). `stratisd` takes over from it when the boot goes on.",
  ),
];

const entries = (list: readonly (readonly [string, string])[]): string[] =>
  list.flatMap(([term, text]) => entry(bold(term), [text]));

export const stratisdPage = (): string =>
  [
    title("stratisd", 8, PAGE_DATE, `stratisd ${CLIENT_VERSION}`),
    section("name"),
    prose("stratisd - the daemon of Stratis storage"),
    section("synopsis"),
    `${bold("stratisd")} [${prose("*options*")}]`,
    section("description"),
    prose(
      "`stratisd` manages pools of block devices and the filesystems in them, by way of the kernel's device-mapper. When it " +
        "starts it looks for devices that belong to pools, and sets up the pools that were running when it was last stopped " +
        "and whose devices are all there. It then serves requests on the system message bus, under the name " +
        "`org.storage.stratis3`, and reacts to events: devices that come or grow, pools and filesystems that fill up.",
    ),
    ...paragraph(
      "It must be run by root, except with `--sim`. Pools and filesystems stay in use when it ends.",
    ),
    section("options"),
    ...helpOptions(helpText("stratisd")).flatMap(({ flags, text }) => entry(bold(flags), [`${text}.`])),
    section("environment"),
    ...entries([
      [
        "RUST_LOG",
        "Which messages are logged, unless `--log-level` is given: a level, or a list such as `stratisd=debug`.",
      ],
      [
        "STRATISD_LOG_DIRECTORY",
        "Where the history is written where there is no journal, instead of /var/log/stratis. With `--sim` it is written to a " +
          "file only if this names a directory. `stratis history` has to be given the same.",
      ],
      [
        "STRATIS_SNAPSHOTS",
        "An absolute directory, made if it is not there, where the daemon keeps a snapshot of itself for a faster start. The " +
          "service sets it to /var/cache/stratis-node. Without it there is none.",
      ],
    ]),
    section("files"),
    ...entries(FILES),
    ...bootSection(),
    section("journal"),
    prose(
      "As a service the daemon writes entries of the journal. Beside the message an entry has fields for what it is about, " +
        "if it is about something:",
    ),
    ...entries(JOURNAL_FIELDS),
    ...paragraph("What happened to a pool:"),
    ...example(["journalctl POOL_UUID=17101e39-e72e-423c-90d8-be5cb37c055b"]),
    section("history"),
    prose(
      "When a call ends that was to change something, whether it succeeded or failed, the daemon writes a record of it, " +
        "whatever `--log-level` says: an entry of the journal where its log goes there, and otherwise a line of " +
        "/var/log/stratis/history.log. `stratis history` shows both. What only asks is not recorded, and no key or passphrase " +
        "ever is. A call that is refused by the policy of the message bus never gets to the daemon. Beside the message an " +
        "entry of the journal has the fields:",
    ),
    ...entries(HISTORY_ENTRY),
    section("alerts"),
    prose(
      "When a pool gets into a state that needs somebody's attention, or out of it, the daemon calls every program in " +
        "`/etc/stratis/alerts.d`, in the order of their names, one after another, each for at most 30 seconds. Names " +
        "consist of letters, digits, hyphens and underscores. A program has to belong to root, as do all folders on the " +
        "way to it, and nobody else may be able to write to them. It has no arguments and no input, and is told in its " +
        "environment:",
    ),
    ...entries(ALERTS),
    ...paragraph(
      "States that last are told of again when the daemon starts anew. What a program prints is in the daemon's log, as is " +
        "its failure.",
    ),
    section("signals"),
    ...entries([["SIGINT, SIGTERM", "The daemon ends, after what it is doing."]]),
    section("exit status"),
    ...entries([
      ["0", "It was asked to end."],
      ["1", "It could not start, or not go on; the reason is the last message of its log."],
      ["2", "The command line is wrong."],
    ]),
    section("examples"),
    prose("To try a client without touching any storage, on a message bus that permits it:"),
    ...example(["stratisd --sim --log-level debug"]),
    section("see also"),
    prose(
      "`stratis`(8), `stratis-metrics`(8), `stratisd-min`(8), `systemd.mount`(5), `systemd`(1), `dbus-daemon`(1), `dmsetup`(8)",
    ),
    "",
  ].join("\n");
