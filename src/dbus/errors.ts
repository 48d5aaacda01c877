/** Errors that go out as D-Bus error replies (dbus-api.md §4.3). */

/** What an error reply says. */
export interface ErrorAnswer {
  readonly errorName: string;
  readonly message: string;
}

export class DbusError extends Error {
  override name = "DbusError";
  readonly errorName: string;

  constructor(errorName: string, text: string) {
    super(text);
    this.errorName = errorName;
  }
}

const freedesktop = (name: string) => `org.freedesktop.DBus.Error.${name}`;

export const unknownObject = (path: string) =>
  new DbusError(freedesktop("UnknownObject"), `Unknown object '${path}'`);
export const unknownInterface = (name: string) =>
  new DbusError(freedesktop("UnknownInterface"), `Unknown interface '${name}'`);
export const unknownMethod = (name: string) =>
  new DbusError(freedesktop("UnknownMethod"), `Unknown method '${name}'`);
/** Also for an attempt to set a read-only property: clients of upstream know no other error there. */
export const unknownProperty = (name: string) =>
  new DbusError(freedesktop("UnknownProperty"), `Unknown property '${name}'`);
export const failed = (text: string) => new DbusError(freedesktop("Failed"), text);
/** Arguments that cannot be decoded, and properties that the engine refuses to set (dbus-api.md §21, trap 2). */
export const refused = (text: string) => new DbusError("org.freedesktop.zbus.Error", text);
/** More than the service does, or the bus lets through, for one client. */
export const limitExceeded = (text: string): ErrorAnswer => ({
  errorName: freedesktop("LimitsExceeded"),
  message: text,
});
