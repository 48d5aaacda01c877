/** The program stratisd-min, for when there is no system bus: in an early boot, or for rescue (system.md §17). */
import { quotedText } from "../jsonrpc/quoted";
import { JsonRpcServer } from "../jsonrpc/server";
import { logger } from "../log";
import type { Ipc, Program } from "./program";
import { becomeOnlyMinimalInstance } from "./single-instance";
import { startProgram } from "./snapshot/start";

const stratisdMin: Program = {
  name: "stratisd-min",
  becomeOnlyInstance: becomeOnlyMinimalInstance,
  prepareIpc: (engine, history) => {
    const serve = (): Ipc => {
      const server = new JsonRpcServer({ engine, history, log: logger("stratisd::jsonrpc::server") });
      return {
        failed: server.failed,
        // There are no signals: clients ask.
        emitChanges: () => undefined,
        close: () => {
          server.close();
          return Promise.resolve();
        },
      };
    };
    return Promise.resolve(() => Promise.resolve(serve()));
  },
  failureLine: (text) => `Error: ${quotedText(text)}`,
};

startProgram(stratisdMin);
