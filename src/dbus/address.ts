/** D-Bus server addresses: "unix:path=/run/dbus/system_bus_socket;unix:abstract=...". */

const DEFAULT_SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket";

export const systemBusAddress = (): string => process.env.DBUS_SYSTEM_BUS_ADDRESS ?? DEFAULT_SYSTEM_BUS;

/** Path of a socket; one that begins with NUL is in the abstract namespace. */
export type SocketPath = string;

const unescape = (value: string): string =>
  // Each %XX is a byte; paths that are not UTF-8 cannot be expressed here.
  Buffer.from(
    value.replace(/%([0-9A-Fa-f]{2})/g, (_, byte: string) => String.fromCharCode(parseInt(byte, 16))),
    "latin1",
  ).toString("utf8");

function socketOf(address: string): SocketPath {
  const colon = address.indexOf(":");
  if (address.slice(0, colon) !== "unix")
    throw new Error(`D-Bus address "${address}" is not a Unix socket's, which is all that is supported`);
  const parameters = new Map<string, string>();
  for (const pair of address.slice(colon + 1).split(",")) {
    const equals = pair.indexOf("=");
    if (equals > 0) parameters.set(pair.slice(0, equals), unescape(pair.slice(equals + 1)));
  }
  const path = parameters.get("path");
  const abstract = parameters.get("abstract");
  const socket = path ?? (abstract === undefined ? undefined : `\0${abstract}`);
  // dbus-next splits its address at these without undoing any escapes.
  if (socket !== undefined && /[,;:=]/.test(socket))
    throw new Error(`D-Bus address "${address}" has a character in its socket's name that is not supported`);
  if (socket !== undefined) return socket;
  throw new Error(`D-Bus address "${address}" names neither a path nor an abstract socket`);
}

/** The sockets of an address list, to be tried in order. Throws for an address that cannot be understood. */
export function parseBusAddress(list: string): SocketPath[] {
  const addresses = list.split(";").filter((address) => address !== "");
  if (addresses.length === 0) throw new Error("The D-Bus address is empty");
  return addresses.map(socketOf);
}
