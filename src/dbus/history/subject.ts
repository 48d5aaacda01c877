/** What a call is about, in words, found before it is carried out: afterwards it may be gone. */
import { NO_SUBJECT, type Subject } from "../../history/record";
import { listed, MOST_NAMED, poolSubject } from "../../history/subjects";
import { poolUuid } from "../../uuid";
import type { IncomingCall } from "../call";
import type { ServiceContext } from "../context";
import type { Entry } from "../tree";
import type { AnyVariant, Argument } from "../wire";

export type Known = Pick<ServiceContext, "engine" | "tree">;

function entrySubject(known: Known, entry: Entry): Subject {
  if (entry.kind === "manager") return NO_SUBJECT;
  const uuid = entry.kind === "pool" ? entry.uuid : entry.pool;
  const pool = known.engine.getPool(uuid);
  const subject = poolSubject(known.engine, { uuid });
  const inPool = subject.object ?? "";
  switch (entry.kind) {
    case "pool":
      return subject;
    case "filesystem": {
      const name = pool?.getFilesystem(entry.uuid)?.name ?? entry.uuid;
      return { ...subject, object: `filesystem ${name} in ${inPool}` };
    }
    case "blockdev": {
      const device = pool?.getBlockDev(entry.uuid)?.devnode ?? entry.uuid;
      return { ...subject, object: `block device ${device} in ${inPool}` };
    }
    case "operation":
      return { ...subject, object: `operation in place on ${inPool}` };
  }
}

function subjectAt(known: Known, path: string): Subject {
  const entry = known.tree.at(path);
  return entry === undefined ? { ...NO_SUBJECT, object: path } : entrySubject(known, entry);
}

/** A pool by its UUID; one that is none is shown as it came. */
function poolByUuid(known: Known, id: string): Subject {
  try {
    return poolSubject(known.engine, { uuid: poolUuid(id) });
  } catch {
    return { ...NO_SUBJECT, object: `pool ${id}` };
  }
}

const filesystemAt = (known: Known, path: string): string => {
  const entry = known.tree.at(path);
  if (entry?.kind !== "filesystem") return path;
  return known.engine.getPool(entry.pool)?.getFilesystem(entry.uuid)?.name ?? entry.uuid;
};

/** Arguments by their names in the table. None of those that are looked at is a secret. */
class Arguments {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(args: readonly Argument[], body: readonly unknown[]) {
    this.#values = new Map(args.map(({ name }, index) => [name, body[index]]));
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value : undefined;
  }
}

/** What of an object a method is about, or makes of it. */
function detailed(known: Known, args: Arguments, object: string): string {
  const specs = args.list("specs") as [string, ...unknown[]][] | undefined;
  if (specs !== undefined) return `filesystem ${listed(specs.map(([name]) => name))} in ${object}`;
  const paths = args.list("filesystems") as string[] | undefined;
  if (paths !== undefined) {
    const named = paths.slice(0, MOST_NAMED).map((path) => filesystemAt(known, path));
    return `filesystem ${listed([...named, ...paths.slice(MOST_NAMED)])} in ${object}`;
  }
  const origin = args.text("origin");
  if (origin !== undefined)
    return `filesystem ${filesystemAt(known, origin)} in ${object}, as ${args.text("snapshot_name") ?? ""}`;
  const devices = args.list("devices") as string[] | undefined;
  if (devices !== undefined) return `${object}, block device ${listed(devices)}`;
  const device = args.text("dev");
  if (device !== undefined) return `${object}, block device ${device}`;
  const key = args.text("key_desc");
  if (key !== undefined) return `${object}, key ${key}`;
  const pin = args.text("pin");
  return pin === undefined ? object : `${object}, pin ${pin}`;
}

function managerSubject(known: Known, args: Arguments): Subject {
  const path = args.text("pool");
  if (path !== undefined) return subjectAt(known, path);
  const id = args.text("id");
  if (id !== undefined)
    return args.text("id_type") === "name" ? poolSubject(known.engine, { name: id }) : poolByUuid(known, id);
  const uuid = args.text("pool_uuid");
  if (uuid !== undefined) return poolByUuid(known, uuid);
  const name = args.text("name");
  if (name !== undefined) {
    const subject = poolSubject(known.engine, { name });
    return { ...subject, object: detailed(known, args, subject.object ?? "") };
  }
  const key = args.text("key_desc");
  return { ...NO_SUBJECT, object: key === undefined ? null : `key ${key}` };
}

/** The subject of a method call, whose arguments have the types that the table gives them. */
export function subjectOfMethod(known: Known, call: IncomingCall, args: readonly Argument[]): Subject {
  const values = new Arguments(args, call.body);
  const entry = known.tree.at(call.path);
  if (entry === undefined) return { ...NO_SUBJECT, object: call.path };
  if (entry.kind === "manager") return managerSubject(known, values);
  const subject = entrySubject(known, entry);
  const object = detailed(known, values, subject.object ?? "");
  const name = values.text("name");
  return { ...subject, object: name === undefined ? object : `${object}, to ${name}` };
}

/** true, 200, or the text of an optional one. */
function valueText(value: unknown): string {
  const [present, text] = Array.isArray(value) ? (value as unknown[]) : [true, value];
  return present === true ? String(text) : "none";
}

/** The subject of the setting of a property; null: the value has not its type. */
export function subjectOfProperty(known: Known, path: string, value: AnyVariant | null): Subject {
  const subject = subjectAt(known, path);
  if (value === null) return subject;
  return { ...subject, object: `${subject.object ?? path}, to ${valueText(value.value)}` };
}
