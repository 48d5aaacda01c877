/**
 * OpenMetrics text that Prometheus's own text format has too, which node_exporter's textfile collector reads: gauges, and
 * counters, whose samples the latter takes for numbers without a type.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: bigint | number;
}

export interface Family {
  /** Ends in the unit, if it has one. */
  readonly name: string;
  readonly unit?: string;
  readonly help: string;
  /** Default: gauge. The name of a counter is without the "_total" of its samples. */
  readonly type?: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

const escaped = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const familyLines = ({ name, unit, help, type = "gauge", samples }: Family): string[] => [
  `# TYPE ${name} ${type}`,
  ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
  `# HELP ${name} ${escaped(help)}`,
  ...samples.map(
    ({ labels, value }) => `${name}${type === "counter" ? "_total" : ""}${labelsText(labels)} ${value}`,
  ),
];

/** Families without samples are left out. */
export function metricsText(families: readonly Family[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(familyLines);
  return [...lines, "# EOF", ""].join("\n");
}
