/** What the manual says about commands beyond their help, by their words. Paragraphs in the markup of roff.ts. */

const CONFIRMATION =
  "Where standard input and standard output are terminals the command shows what would be lost, and asks. With `--yes`, " +
  "and wherever one of the two is no terminal, it does not ask.";

const IN_PLACE =
  "See RESTRICTIONS before you do this. It takes about as long as reading and writing all devices of the pool.";

export const COMMAND_NOTES: Readonly<Record<string, readonly string[]>> = {
  "pool create": [
    "The devices must be empty: stratisd refuses those on which it finds anything. They become the data tier of the pool.",
    "With `--key-desc` or `--clevis` the pool is encrypted. The key must have been set with `stratis key set`.",
    "Unless `--integrity=no` is given, space is reserved on the devices for an integrity layer, which no version of " +
      "stratisd sets up yet.",
  ],
  "pool destroy": [
    "A pool that has filesystems is not destroyed, unless `--with-filesystems` is given.",
    CONFIRMATION,
  ],
  "pool start": [
    "An encrypted pool needs `--unlock-method`, `--token-slot`, or a key by `--keyfile-path` or `--capture-key`. The method " +
      "`any` tries all bindings of the pool. The other methods are for pools of metadata version 1.",
    "With `--remove-cache` the pool is started without its cache, whose devices are no longer part of it afterwards. " +
      CONFIRMATION,
  ],
  "pool stop": [
    "None of its filesystems may be mounted or in use. Its devices keep all data; `stratis pool start` brings it back.",
  ],
  "pool list": [
    "Without `--name` and `--uuid`, a table; with one of them, one pool in detail. See LIST OUTPUT FIELDS.",
  ],
  "pool init-cache": ["The devices must be empty. They should be faster than those of the data tier."],
  "pool add-data": ["The devices must be empty."],
  "pool add-cache": ["The pool must have a cache already."],
  "pool extend-data": [
    "stratisd notices when a device grows, but leaves the new space alone until this command is given.",
  ],
  "pool set-fs-limit": [
    "The limit can be raised only. A higher limit takes space for metadata from the pool.",
  ],
  "pool overprovision": [
    "If overprovisioning is forbidden, the sizes of all filesystems together cannot exceed the pool's, and a pool that is " +
      "overprovisioned already stays so.",
  ],
  "pool explain": ["Needs no daemon. See ALERTS."],
  "pool encryption on": [IN_PLACE],
  "pool encryption off": [IN_PLACE, CONFIRMATION],
  "pool encryption reencrypt": [IN_PLACE],
  "pool encryption unbind": ["The last binding of a pool cannot be removed."],
  "filesystem create": [
    "A filesystem takes the space that its content needs, not its size. It grows by itself when it is nearly full, up to " +
      "its limit if it has one.",
    "The path to mount it by is `/dev/stratis/`*pool*`/`*filesystem*.",
  ],
  "filesystem snapshot": [
    "A snapshot is a filesystem of its own that begins with the content of another. The two share what neither has " +
      "changed. It can be mounted, written to and destroyed independently of its origin.",
  ],
  "filesystem destroy": [
    "None of them may be mounted. Snapshots of a destroyed filesystem stay.",
    CONFIRMATION,
  ],
  "filesystem schedule-revert": [
    "When the pool is started next, the origin has the content of the snapshot, and its own name and UUID; the snapshot is " +
      "gone. A filesystem can take part in one scheduled revert only.",
  ],
  "filesystem list": [
    "Without `--name` and `--uuid`, a table; with one of them, one filesystem of the pool in detail. See LIST OUTPUT FIELDS.",
  ],
  "blockdev list": ["See LIST OUTPUT FIELDS."],
  "key set": ["See KEYS. It is an error if the key is there already."],
  "key reset": ["It is an error if the key is not there, or has this value already."],
  report: [
    "The report `engine_state_report` is stratisd's view of everything, `managed_objects_report` what there is on the D-Bus, " +
      "`stopped_pools` the pools that are not running. Their form may change from version to version.",
  ],
  doctor: [
    "It looks at the daemon, the policy of the message bus, the rules of udev, the kernel, the programs that are needed, " +
      "/etc/fstab, the pools, the metadata of their thin pools (as root only), stopped pools, and devices that belong to no " +
      "pool. Nothing is changed. Each finding has a level: ok, note, warning or error. The exit status is 1 if there is a " +
      "warning or an error. Needs no daemon.",
  ],
  history: [
    "One line for each call that was to change something: when it ended, which process asked, what it was about, and how it " +
      "ended. Calls that only ask are not in the history, and no key or passphrase ever is. Needs no daemon, but the right to " +
      "read the system's journal, or root where there is none; see FILES in stratisd(8).",
    "*TIME* is how long ago it was, with one of the units s, min, h, d and w, such as `2h`; or `today`, `yesterday` or `now`; " +
      "or a date with or without a time, such as `2026-11-28` or `'2026-11-28 09:30'`, in the local time zone unless another " +
      "is given: `2026-11-28T08:30:00Z`.",
    "With `--follow` each call has a line in words, or with `--json` a document of its own on one line, as soon as it has ended.",
  ],
  metrics: [
    "stratis-metrics(8) says what the metrics are; it does the same, and a timer can run it. If stratisd does not answer, the " +
      "metrics say so, and the exit status is 1.",
  ],
  "debug refresh": ["It looks for new pools and removes what is gone, as at its start."],
  "debug uevent": ["Needs no daemon, but root."],
};
