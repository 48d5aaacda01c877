/** Which requests have a record in the history, and what it says. */
import { DONE, NO_SUBJECT, UNCHANGED, type Outcome, type Subject } from "../history/record";
import type { Asked } from "../history/recorder";
import { listed, poolSubject, type KnownPools } from "../history/subjects";
import { poolUuid } from "../uuid";

type Subjects = (known: KnownPools, value: unknown) => Subject;

/** What stands where the D-Bus API has the name of an interface. */
const INTERFACE = "stratisd-min";

/** `{"Name": name}` or `{"Uuid": uuid}`. */
function poolById(known: KnownPools, id: unknown): Subject {
  const { Name: name, Uuid: uuid } = id as { Name?: string; Uuid?: string };
  return poolSubject(known, name === undefined ? { uuid: poolUuid(uuid ?? "") } : { name });
}

const key: Subjects = (_, value) => ({ ...NO_SUBJECT, object: `key ${value as string}` });

const named: Subjects = (known, value) => poolSubject(known, { name: value as string });

const identified: Subjects = (known, value) =>
  poolById(known, Array.isArray(value) ? (value as unknown[])[0] : value);

/** Name of a pool, and devices. */
const withDevices: Subjects = (known, value) => {
  const [name, devices] = value as [string, string[]];
  const subject = poolSubject(known, { name });
  return { ...subject, object: `${subject.object ?? ""}, block device ${listed(devices)}` };
};

const renamed: Subjects = (known, value) => {
  const [before, name] = value as [string, string];
  const subject = poolSubject(known, { name: before });
  return { ...subject, object: `${subject.object ?? ""}, to ${name}` };
};

/** Names of a pool, of a filesystem, and in a renaming what it is to be called. */
const filesystem: Subjects = (known, value) => {
  const [pool, name, to] = value as [string, string, string?];
  const subject = poolSubject(known, { name: pool });
  const object = `filesystem ${name} in ${subject.object ?? ""}`;
  return { ...subject, object: to === undefined ? object : `${object}, to ${to}` };
};

/** By the names of the requests that change something; their values have the forms that methods.ts gives them. */
const SUBJECTS: Readonly<Record<string, Subjects>> = {
  KeySet: key,
  KeyUnset: key,
  PoolCreate: withDevices,
  PoolRename: renamed,
  PoolAddData: withDevices,
  PoolInitCache: withDevices,
  PoolAddCache: withDevices,
  PoolDestroy: named,
  PoolStart: identified,
  PoolStop: identified,
  PoolBindKeyring: identified,
  PoolBindClevis: identified,
  PoolUnbindKeyring: identified,
  PoolUnbindClevis: identified,
  PoolRebindKeyring: identified,
  PoolRebindClevis: identified,
  FsCreate: filesystem,
  FsDestroy: filesystem,
  FsRename: filesystem,
};

/** null for a request that changes nothing. `value` must have been found to be of the request's form. */
export function changeOf(known: KnownPools, name: string, value: unknown): Asked | null {
  if (!Object.hasOwn(SUBJECTS, name)) return null;
  const subject = SUBJECTS[name]?.(known, value) ?? NO_SUBJECT;
  return { interface: INTERFACE, operation: name, subject };
}

/** KeySet tells of a key that was there already by false, and of one that is the same by null; others of no change by false. */
export const outcomeOf = (name: string, result: unknown): Outcome =>
  result === (name === "KeySet" ? null : false) ? UNCHANGED : DONE;
