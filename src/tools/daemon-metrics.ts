/** Metrics of what stratisd reports about itself (src/metrics.ts): a report that is not upstream's. */
import type { Family, Labels, Sample } from "./openmetrics";
import { ToolError } from "./tool";

interface Growth {
  readonly done: number;
  readonly failed: number;
  readonly microseconds: number;
  readonly longest_microseconds: number;
}

interface Report {
  readonly events: Readonly<Record<string, number>>;
  readonly extensions: Readonly<Record<string, Growth>>;
  readonly loop_delay_microseconds: Readonly<Record<"mean" | "p99" | "longest", number>> | null;
  readonly memory_bytes: Readonly<Record<string, number>>;
  readonly uptime_seconds: number;
  readonly pools: readonly {
    readonly uuid: string;
    readonly thin_metadata: { readonly used: number; readonly size: number } | null;
    readonly out_of_space: boolean | null;
  }[];
}

const MICRO = 1e-6;
/** As many decimals as there are microseconds. */
const seconds = (microseconds: number): number => Number((microseconds * MICRO).toFixed(6));

const labelled = <T>(
  label: string,
  values: Readonly<Record<string, T>>,
  value: (of: T) => number,
): Sample[] => Object.entries(values).map(([name, of]) => ({ labels: { [label]: name }, value: value(of) }));

function extensionFamilies({ extensions }: Report): Family[] {
  const of = (value: (growth: Growth) => number): Sample[] => labelled("what", extensions, value);
  return [
    {
      name: "stratis_extensions",
      type: "counter",
      help: "Extensions of thin-pool data, thin-pool metadata and filesystems that succeeded",
      samples: of(({ done }) => done),
    },
    {
      name: "stratis_failed_extensions",
      type: "counter",
      help: "Extensions that failed",
      samples: of(({ failed }) => failed),
    },
    {
      name: "stratis_extension_time_seconds",
      unit: "seconds",
      type: "counter",
      help: "Time that extensions took, all together",
      samples: of(({ microseconds }) => seconds(microseconds)),
    },
    {
      name: "stratis_extension_longest_seconds",
      unit: "seconds",
      help: "Time that the longest extension took",
      samples: of(({ longest_microseconds: longest }) => seconds(longest)),
    },
  ];
}

function poolFamilies({ pools }: Report, labelsOf: ReadonlyMap<string, Labels>): Family[] {
  const samples = (value: (pool: Report["pools"][number]) => number | undefined): Sample[] =>
    pools.flatMap((pool): Sample[] => {
      const labels = labelsOf.get(pool.uuid);
      const measured = value(pool);
      return labels === undefined || measured === undefined ? [] : [{ labels, value: measured }];
    });
  return [
    {
      name: "stratis_pool_thin_metadata_used_bytes",
      unit: "bytes",
      help: "Thin-pool metadata in use",
      samples: samples(({ thin_metadata: metadata }) => metadata?.used),
    },
    {
      name: "stratis_pool_thin_metadata_size_bytes",
      unit: "bytes",
      help: "Size of the device for thin-pool metadata",
      samples: samples(({ thin_metadata: metadata }) => metadata?.size),
    },
    {
      name: "stratis_pool_out_of_space",
      help: "Whether the pool can take no more data",
      samples: samples(({ out_of_space: full }) => (full === null ? undefined : Number(full))),
    },
  ];
}

/** `labels` of pools by their hyphenated UUID. Throws ToolError for a report of another form. */
export function daemonFamilies(text: string, labels: ReadonlyMap<string, Labels>): Family[] {
  try {
    const report = JSON.parse(text) as Report;
    return [
      ...extensionFamilies(report),
      {
        name: "stratis_events",
        type: "counter",
        help: "Events that the daemon has dealt with",
        samples: labelled("source", report.events, (count) => count),
      },
      {
        name: "stratis_daemon_loop_delay_seconds",
        unit: "seconds",
        help: "How late the daemon's event loop was, since it was asked before",
        samples: labelled("of", report.loop_delay_microseconds ?? {}, seconds),
      },
      {
        name: "stratis_daemon_heap_bytes",
        unit: "bytes",
        help: "Memory of JavaScript objects in the daemon",
        samples: [{ labels: {}, value: report.memory_bytes["heap"] ?? 0 }],
      },
      {
        name: "stratis_daemon_uptime_seconds",
        unit: "seconds",
        help: "How long the daemon runs",
        samples: [{ labels: {}, value: report.uptime_seconds }],
      },
      ...poolFamilies(report, labels),
    ];
  } catch (error) {
    throw new ToolError(`stratisd's report about itself has another form than this program knows`, {
      cause: error,
    });
  }
}
