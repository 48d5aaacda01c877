/** Tables of ratios: ours beside stratisd 3.9.2. */

export type Unit = "s" | "MiB" | "MB";

const figure = (value: number | null, unit: Unit): string =>
  value === null ? "–" : `${value.toFixed(unit === "s" ? 3 : 1)} ${unit}`;

const line = (text: string, ours: string, upstream: string, ratio: string): string =>
  `${text.padEnd(48)}${ours.padStart(12)}${upstream.padStart(12)}${ratio.padStart(8)}`;

export const heading = (upstream: string): string => line("", "this", upstream, "ratio");

/** null: not measured. */
export const row = (text: string, unit: Unit, ours: number | null, upstream: number | null): string =>
  line(
    text,
    figure(ours, unit),
    figure(upstream, unit),
    ours === null || upstream === null ? "–" : (ours / upstream).toFixed(2),
  );
