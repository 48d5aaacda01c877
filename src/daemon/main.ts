/** The program stratisd. The native launcher (native/launcher/) executes Node with this file. */
import type { DbusService } from "../dbus/service";
import type { Engine } from "../engine/engine";
import type { WriteRecord } from "../history/recorder";
import { logger } from "../log";
import { runMain } from "./entry";
import type { Ipc, Program } from "./program";
import { becomeOnlyInstance } from "./single-instance";

/** What D-Bus needs is loaded here, beside the search for pools, and not before it. */
async function connect(engine: Engine, history: WriteRecord): Promise<DbusService> {
  const { DbusService: Service } = await import("../dbus/service.js");
  return await Service.connect({
    engine,
    history,
    log: logger("stratisd::stratis::ipc_support::dbus_support"),
  });
}

const stratisd: Program = {
  name: "stratisd",
  becomeOnlyInstance,
  /** The name is taken last: whoever sees it finds every pool there, and is answered. */
  openIpc: async (engine, history, ready): Promise<Ipc> => {
    const service = await connect(engine, history);
    try {
      await ready;
      await service.publish();
    } catch (error) {
      await service.close();
      throw error;
    }
    return {
      failed: new Promise((resolve) => {
        void service.closed.then((closed) => {
          if (!closed.expected) resolve(new Error(closed.reason));
        });
      }),
      emitChanges: (changes) => {
        service.emitChanges(changes);
      },
      close: () => service.close(),
    };
  },
  failureLine: (text) => text,
};

void runMain(stratisd);
