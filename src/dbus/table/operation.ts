/**
 * Encryption, re-encryption or decryption in place that is running: an object that is there from its begin to its end.
 * It is no part of Stratis's API, which tells nothing between the call and the end.
 */
import * as values from "../values";
import { rowsFor, type InterfaceTable } from "./rows";

const { property } = rowsFor<"operation">();

export const operationTable: InterfaceTable<"operation"> = {
  kind: "operation",
  methods: [],
  properties: [
    property("Pool", "o", [{ since: 0, emits: "const" }], {
      get: ({ pool }, { tree }) => tree.pool(pool.uuid)?.path ?? "/",
    }),
    // "encrypt", "reencrypt" or "decrypt".
    property("Kind", "s", [{ since: 0, emits: "const" }], { get: ({ progress }) => progress.kind }),
    property("DoneBytes", "t", [{ since: 0, emits: "true" }], { get: ({ progress }) => progress.done }),
    property("TotalBytes", "t", [{ since: 0, emits: "true" }], { get: ({ progress }) => progress.total }),
    // An estimate; (false, 0) as long as there is none.
    property("RemainingSeconds", "(bt)", [{ since: 0, emits: "true" }], {
      get: ({ progress }) => values.optionalSeconds(progress.remainingSeconds),
    }),
  ],
};
