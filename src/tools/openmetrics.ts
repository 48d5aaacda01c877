/**
 * OpenMetrics text, of gauges only: with them it is also Prometheus's own text format, which node_exporter's textfile
 * collector reads.
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
  readonly samples: readonly Sample[];
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const familyLines = ({ name, unit, help, samples }: Family): string[] => [
  `# TYPE ${name} gauge`,
  ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
  `# HELP ${name} ${escaped(help)}`,
  ...samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}`),
];

/** Families without samples are left out. */
export function metricsText(families: readonly Family[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(familyLines);
  return [...lines, "# EOF", ""].join("\n");
}
