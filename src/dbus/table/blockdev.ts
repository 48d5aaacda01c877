/** Block device interfaces (dbus-api.md §9). */
import { simpleUuid } from "../../uuid";
import { setUserInfo, setUserInfoMethod } from "../operations/blockdev";
import { poolPath } from "../operations/paths";
import { epochSeconds, optionalBytes, optionalText, tierNumber, ZERO_UUID } from "../values";
import { rowsFor, type InterfaceTable } from "./rows";

const { method, variant, property } = rowsFor<"blockdev">();

export const blockDevTable: InterfaceTable<"blockdev"> = {
  kind: "blockdev",
  methods: [
    method(
      "SetUserInfo",
      variant({ since: 0, until: 2 }, "id:(bs)", "changed:(bs)", [false, ZERO_UUID], setUserInfoMethod),
    ),
  ],
  properties: [
    property("Devnode", "s", [{ since: 0, emits: "const" }], { get: ({ device }) => device.devnode }),
    property("HardwareInfo", "(bs)", [{ since: 0, emits: "const" }], {
      get: ({ device }) => optionalText(device.hardwareInfo),
    }),
    property(
      "UserInfo",
      "(bs)",
      [
        { since: 0, until: 2, emits: "false" },
        { since: 3, emits: "true", access: "readwrite" },
      ],
      {
        changedBy: ["userInfo"],
        get: ({ device }) => optionalText(device.userInfo),
        set: setUserInfo,
      },
    ),
    property("InitializationTime", "t", [{ since: 0, emits: "const" }], {
      get: ({ device }) => epochSeconds(device.initializationTime),
    }),
    property("Pool", "o", [{ since: 0, emits: "const" }], {
      get: ({ pool }, service) => poolPath(service, pool),
    }),
    property("Uuid", "s", [{ since: 0, emits: "const" }], { get: ({ device }) => simpleUuid(device.uuid) }),
    property("Tier", "q", [{ since: 0, emits: "false" }], { get: ({ device }) => tierNumber(device.tier) }),
    property("PhysicalPath", "s", [{ since: 0, emits: "const" }], {
      get: ({ device }) => device.physicalPath,
    }),
    property("TotalPhysicalSize", "s", [{ since: 0, emits: "true" }], {
      changedBy: ["totalPhysicalSize"],
      get: ({ device }) => device.size.toString(),
    }),
    property("NewPhysicalSize", "(bs)", [{ since: 3, emits: "true" }], {
      changedBy: ["newPhysicalSize"],
      get: ({ device }) => optionalBytes(device.newSize),
    }),
  ],
};
