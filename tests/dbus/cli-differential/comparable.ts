/**
 * What of a program's output is compared. What is left out, or brought to one form, is what stratis-cli has from the
 * Python it runs on, or by chance; each exception gives its ground.
 */

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Exception {
  readonly ground: string;
  readonly apply: (outcome: Outcome) => Outcome;
}

const onErrors =
  (change: (text: string) => string): Exception["apply"] =>
  (outcome) => ({ ...outcome, stderr: change(outcome.stderr) });

/** One sentence or two, and nothing else. */
const EXPLAINS = /^[A-Z][a-z]+ .*\.\n$/;

export const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  usage: {
    ground:
      "argparse lays the usage out by its version and the terminal's width (cli.md §2.2); the message after it is compared",
    apply: onErrors((text) => text.replace(/^usage: [^]*?\n(?=stratis[a-z0-9 -]*: error: )/, "USAGE\n")),
  },
  help: {
    ground: "the wording of help is free (cli.md §15), argparse's layout as above",
    apply: (outcome) => ({ ...outcome, stdout: outcome.stdout.replace(/^usage: [^]*$/, "HELP\n") }),
  },
  "values of enumerations": {
    ground: "stratis-cli shows how Python's library writes them, class and all",
    apply: onErrors((text) => text.replace(/<[A-Za-z]+\.\w+: ('?)([^'>]*)\1>/g, "'$2'")),
  },
  "values of D-Bus": {
    ground:
      "stratis-cli shows how its D-Bus library writes them (cli.md §19 row 11): dbus.String('x', variant_level=1)",
    apply: onErrors((text) =>
      text
        .replace(/dbus\.String\(('[^']*'), variant_level=1\)/g, "$1")
        .replace(/ to ".*?"(?=\. It returned the following error)/, " to VALUE"),
    ),
  },
  "choices in quotes": {
    ground: "a matter of Python's version (cli.md §2.2)",
    apply: onErrors((text) => text.replace(/\(choose from [^)]*\)/g, (list) => list.replaceAll("'", ""))),
  },
  "order of a set": {
    ground: "stratis-cli prints sets in the order of their hashes (cli.md §8.2)",
    apply: onErrors((text) =>
      text.replace(/\['[^\]]*'\]/g, (list) => `[${list.slice(1, -1).split(", ").sort().join(", ")}]`),
    ),
  },
  explanations: {
    ground: "the wording of pool explain is free (cli.md §17 row 19), and says more here",
    apply: (outcome) => (EXPLAINS.test(outcome.stdout) ? { ...outcome, stdout: "EXPLANATION\n" } : outcome),
  },
  "stack trace": {
    ground: "what follows an unexpected error is for whoever mends it, and different in every language",
    apply: onErrors((text) =>
      text.replace(/^stratis encountered an unexpected error[^]*$|^Traceback [^]*$/, "UNEXPECTED\n"),
    ),
  },
  "another daemon": {
    ground:
      "whether a stratisd runs beside the test, without a name on the test's bus, is not the test's to say",
    apply: onErrors((text) =>
      text.replace(
        /It appears that there is no stratisd process running\.|Most likely stratis is unable to connect to the stratisd D-Bus service\./,
        "NO DAEMON",
      ),
    ),
  },
};

/** `folder` is one that only this run had. */
export function comparable(outcome: Outcome, folder: string): Outcome {
  const general = (text: string): string => text.replaceAll(folder, "FOLDER");
  const plain = { ...outcome, stdout: general(outcome.stdout), stderr: general(outcome.stderr) };
  return Object.values(EXCEPTIONS).reduce((result, { apply }) => apply(result), plain);
}
