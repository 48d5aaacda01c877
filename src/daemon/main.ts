/** The program stratisd. The native launcher (native/launcher/) executes Node with this file. */
import { DbusService } from "../dbus/service";
import { logger } from "../log";
import type { Program } from "./program";
import { becomeOnlyInstance } from "./single-instance";
import { startProgram } from "./snapshot/start";

const stratisd: Program = {
  name: "stratisd",
  becomeOnlyInstance,
  prepareIpc: async (engine, history) => {
    const service = await DbusService.connect({
      engine,
      history,
      log: logger("stratisd::stratis::ipc_support::dbus_support"),
    });
    return async () => {
      await service.publish();
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
    };
  },
  failureLine: (text) => text,
};

startProgram(stratisd);
