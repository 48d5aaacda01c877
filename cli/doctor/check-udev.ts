/** Does udev know the rules of Stratis, and have the programs that they call? */
import type { Check } from "./check";
import { failure, ok, warning, type Finding } from "./findings";
import type { Machine } from "./machine";

/** Those before shadow files of the same name in those after. */
const RULE_DIRECTORIES = [
  "/etc/udev/rules.d",
  "/run/udev/rules.d",
  "/usr/lib/udev/rules.d",
  "/lib/udev/rules.d",
];
const RULES = "61-stratisd.rules";
/** Where udev looks for programs that are named without a path. */
const HELPER_DIRECTORIES = ["/usr/lib/udev", "/lib/udev"];

/** Programs that the rules call, as they name them. */
const programsIn = (rules: string): string[] => [
  ...new Set(
    [...rules.matchAll(/(?:PROGRAM==?|IMPORT\{program\}=|RUN\+?=)"([^" ]+)/g)].flatMap(
      ([, program]) => program ?? [],
    ),
  ),
];

async function helperFinding(machine: Machine, program: string): Promise<Finding> {
  const candidates = program.startsWith("/")
    ? [program]
    : HELPER_DIRECTORIES.map((directory) => `${directory}/${program}`);
  for (const path of candidates)
    if (await machine.isExecutable(path)) return ok(`${path} is there for the rules of udev`);
  return failure(
    `the program ${program}, which the rules of udev call, is not in ${candidates.join(", ")} or cannot be executed`,
    "Install it: without it /dev/stratis has no links.",
  );
}

async function rulesFindings(machine: Machine): Promise<Finding[]> {
  for (const directory of RULE_DIRECTORIES) {
    const path = `${directory}/${RULES}`;
    const rules = await machine.read(path);
    if (rules === null) continue;
    if (rules.trim() === "")
      return [failure(`${path} is empty, which switches the rules of Stratis off`, `Remove ${path}.`)];
    const programs = await Promise.all(programsIn(rules).map((program) => helperFinding(machine, program)));
    return [ok(`udev has ${path}`), ...programs];
  }
  return [
    failure(
      `the rules of udev, ${RULES}, are in none of ${RULE_DIRECTORIES.join(", ")}`,
      "Install them and reload udev: without them /dev/stratis has no links.",
    ),
  ];
}

export const udevCheck: Check = {
  name: "udev",
  make: async ({ machine }) => [
    (await machine.isThere("/run/udev/control"))
      ? ok("udev runs")
      : warning("udev does not run", "Start it with: systemctl start systemd-udevd"),
    ...(await rulesFindings(machine)),
  ],
};
