/** Addresses of message buses (D-Bus specification, "Server Addresses"), as far as Unix sockets go. */

import { NoBusError } from "./errors";

const SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket";

export const systemBusAddress = (env: Readonly<Record<string, string | undefined>>): string =>
  env["DBUS_SYSTEM_BUS_ADDRESS"] ?? SYSTEM_BUS;

const unescaped = (text: string): string =>
  Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, byte: string) => String.fromCharCode(parseInt(byte, 16))),
    "latin1",
  ).toString("utf8");

/** The socket of one address; a NUL in front puts it into the abstract namespace. */
function socketOf(address: string): string {
  const colon = address.indexOf(":");
  const parameters = new Map(
    address
      .slice(colon + 1)
      .split(",")
      .map((pair): [string, string] => {
        const equals = pair.indexOf("=");
        return [pair.slice(0, equals), unescaped(pair.slice(equals + 1))];
      }),
  );
  const path = parameters.get("path") ?? parameters.get("abstract");
  if (address.slice(0, colon) !== "unix" || path === undefined || path === "")
    throw new NoBusError(`cannot use the D-Bus address "${address}", which names no Unix socket`);
  const socket = parameters.has("path") ? path : `\0${path}`;
  // dbus-next parts its own address at these characters and knows no escapes.
  if (/[:;,=]/.test(socket))
    throw new NoBusError(
      `cannot use the D-Bus address "${address}", whose socket has one of the characters : ; , = in its name`,
    );
  return socket;
}

/** The sockets of a list of addresses, to be tried in order. Throws NoBusError for a list that cannot be used. */
export function busSockets(list: string): string[] {
  const addresses = list.split(";").filter((address) => address !== "");
  if (addresses.length === 0) throw new NoBusError("cannot use the D-Bus address, which is empty");
  return addresses.map(socketOf);
}
