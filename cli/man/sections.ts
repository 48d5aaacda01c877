/** Sections of stratis(8) that the grammar does not know. Paragraphs in the markup of roff.ts. */

export const KEYS_TEXT: readonly string[] = [
  "A key is kept in the kernel keyring under a description, by which pools refer to it. It has at most 64 bytes, and is gone " +
    "after a reboot.",
  "With `--keyfile-path` all bytes of the file are the key, a newline at its end too. A file of exactly 64 bytes cannot be " +
    "told from a longer one, and is refused. With `--capture-key` the key is a line from standard input, without its newline; " +
    "`stratis key set` and `stratis key reset` ask twice.",
];

export const ENVIRONMENT: readonly (readonly [string, string])[] = [
  [
    "STRATIS_DBUS_TIMEOUT",
    "How many milliseconds to wait for an answer of stratisd: an integer from -1 to 1073741823. The default is 60000; -1 is " +
      "the customary time of D-Bus libraries, 25 seconds.",
  ],
  ["DBUS_SYSTEM_BUS_ADDRESS", "Where the message bus is."],
  ["TZ", "The time zone of times in tables and detailed views."],
  ["COLUMNS", "The width of help texts, instead of the terminal's."],
  [
    "STRATISD_LOG_DIRECTORY",
    "Where `stratis history` looks for the daemon's own file of the history, instead of /var/log/stratis.",
  ],
  ["NO_COLOR", "If it is set and not empty, nothing is coloured."],
  [
    "STRATIS_STRICT_POOL_FEATURES",
    "For tests: if not 0, a feature of a stopped pool that is not known is an error.",
  ],
];

export const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ["0", "What was asked for was done."],
  [
    "1",
    "It was not, or not all of it. That nothing would have changed is an error too. Of `stratis doctor`: it found something.",
  ],
  ["2", "The command line is wrong."],
];

export const RESTRICTIONS: readonly string[] = [
  "Commands with `--in-place` rewrite the whole pool while it is in use. Back up the data first. While the operation runs the " +
    "pool cannot be changed otherwise, and it is slower. Do not stop the machine before it is done: `stratis report` and the " +
    "log of stratisd tell. The command waits for 10 seconds, prints `Operation initiated` and leaves the rest to stratisd, " +
    "unless `--wait` is given.",
  "The size that a filesystem shows to programs such as `df` is the size of its device, not what the pool can hold. Watch the " +
    "pool's own numbers, in `stratis pool list`.",
];

export const NOTES: readonly string[] = [
  "To mount a filesystem at boot, name `/dev/stratis/`*pool*`/`*filesystem* in /etc/fstab. stratisd(8) has the lines, by what " +
    "has to happen with the pool. `stratis doctor` looks for lines that will not work.",
  "Only root may change anything. Lists and most other commands that only show something are open to everybody, as far as the " +
    "policy of the message bus permits it.",
  "The commands `pool bind`, `pool rebind` and `pool unbind` are old spellings of those below `pool encryption`.",
];

interface Example {
  readonly text: string;
  readonly lines: readonly string[];
}

export const EXAMPLES: readonly Example[] = [
  {
    text: "A pool of two devices, with a filesystem that is mounted:",
    lines: [
      "stratis pool create data /dev/sdb /dev/sdc",
      "stratis filesystem create data home",
      "mount /dev/stratis/data/home /home",
    ],
  },
  {
    text: "An encrypted pool, and starting it after a reboot:",
    lines: [
      "stratis key set --capture-key mykey",
      "stratis pool create --key-desc mykey vault /dev/sdd",
      "stratis pool start --name vault --capture-key",
    ],
  },
  {
    text: "A snapshot, to which the filesystem is reverted later:",
    lines: [
      "stratis filesystem snapshot data home home-monday",
      "umount /home",
      "stratis filesystem schedule-revert data home-monday",
      "stratis pool stop --name data",
      "stratis pool start --name data",
    ],
  },
  {
    text: "For programs:",
    lines: [
      "stratis pool list --json",
      "stratis filesystem list data --no-header --bytes --columns name,used",
      "stratis filesystem destroy data home-monday --dry-run",
    ],
  },
  {
    text: "What was done to a pool since yesterday, and by whom:",
    lines: ["stratis history --pool data --since yesterday"],
  },
];
