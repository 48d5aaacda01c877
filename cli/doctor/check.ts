import type { Context } from "../context";
import type { Asked } from "./daemon-view";
import type { Finding } from "./findings";
import type { Machine } from "./machine";

/** What a check has to go by. */
export interface Examined {
  readonly machine: Machine;
  readonly daemon: Asked;
  readonly context: Context;
}

/** One part of the examination. */
export interface Check {
  readonly name: string;
  /** Rejects only when it could not be made. */
  readonly make: (examined: Examined) => Promise<Finding[]>;
}
