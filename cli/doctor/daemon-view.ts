/** What stratisd tells about itself, for the examination. */
import type { Context } from "../context";
import type { Json } from "../format/json";
import type { ManagedObjects } from "../managed-objects";
import { MANAGER } from "../names";
import { jsonFrom } from "../actions/shared";
import { asText } from "../values";

export interface DaemonView {
  readonly version: string;
  readonly objects: ManagedObjects;
  /** The property StoppedPools. */
  readonly stoppedPools: unknown;
  /** EngineStateReport. */
  readonly report: Json;
}

/** The view, or the error for which there is none. */
export type Asked = { readonly view: DaemonView } | { readonly error: unknown };

export async function askDaemon(context: Context): Promise<Asked> {
  try {
    const stratisd = await context.stratisd();
    const [version, objects, stoppedPools, report] = await Promise.all([
      stratisd.managerProperty("Version"),
      stratisd.managedObjects(),
      stratisd.managerProperty("StoppedPools"),
      stratisd.request({ interface: MANAGER, member: "EngineStateReport" }),
    ]);
    return {
      view: {
        version: asText(version),
        objects,
        stoppedPools,
        report: jsonFrom(asText(report), "The engine state report"),
      },
    };
  } catch (error) {
    return { error };
  }
}
