/** A pool "p" with filesystems "f0", "f1", … on the service with the simulator. */
import { BASE_PATH, BUS_NAME } from "../../../src/dbus/names";
import type { RawClient } from "./raw-client";

export const POOL = `${BASE_PATH}/0`;
export const POOL_R9 = `${BUS_NAME}.pool.r9`;

/** The service must have no objects yet: the pool's path is taken to be the first. */
export async function populate(client: RawClient, { filesystems }: { filesystems: number }): Promise<void> {
  await client.callForBody("CreatePool", {
    interface: `${BUS_NAME}.Manager.r9`,
    signature: "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    body: ["p", ["/dev/a"], [], [], [false, 0n], [false, ""], [false, false]],
  });
  for (let count = 0; count < filesystems; count++)
    await client.callForBody("CreateFilesystems", {
      ...{ path: POOL, interface: POOL_R9, signature: "a(s(bs)(bs))" },
      body: [[[`f${count}`, [false, ""], [false, ""]]]],
    });
}
