/**
 * The vocabulary of the interface table: what a row of a method or of a property holds.
 *
 * A row stands once. The revisions in which it exists, and where its signature, access or announcement changed, are
 * ranges within it; the ten revisions of an interface are derived from that (derive.ts).
 */
import type { Argument, Wire, WireArguments } from "../wire";
import { parseArguments } from "../wire";
import type { MessageDescriptors } from "../descriptors";
import type { Kind, Revision } from "../names";
import type { ServiceContext } from "../context";
import type {
  BlockDev,
  BlockDevProperty,
  Filesystem,
  FilesystemProperty,
  InPlaceProgress,
  Pool,
  PoolProperty,
} from "../../engine/engine";

/** First and last revision; without `until` up to the newest. */
export interface RevisionRange {
  readonly since: Revision;
  readonly until?: Revision;
}

/** What a method or property of an object of each kind works on. */
export interface Targets {
  Manager: null;
  Report: null;
  pool: { readonly path: string; readonly pool: Pool };
  filesystem: { readonly path: string; readonly pool: Pool; readonly filesystem: Filesystem };
  blockdev: { readonly path: string; readonly pool: Pool; readonly device: BlockDev };
  operation: { readonly path: string; readonly pool: Pool; readonly progress: InPlaceProgress };
}

/** Properties of the engine's objects whose change is announced as a change of a D-Bus property. */
interface EngineProperties {
  Manager: never;
  Report: never;
  pool: PoolProperty;
  filesystem: FilesystemProperty;
  blockdev: BlockDevProperty;
  operation: never;
}

/** One call of a method: on what, through which revision, with which descriptors. */
export interface MethodCall<K extends Kind> {
  readonly service: ServiceContext;
  readonly target: Targets[K];
  readonly revision: Revision;
  readonly descriptors: MessageDescriptors;
}

type Result<Out extends string> = Out extends "" ? undefined : WireArguments<Out>[0];

export interface MethodVariant<K extends Kind> extends RevisionRange {
  readonly in: readonly Argument[];
  /** Without return_code and return_string, which every method has. Empty, or one result. */
  readonly out: readonly Argument[];
  /** The result that goes with return_code 1. */
  readonly failure: unknown;
  readonly handle: (call: MethodCall<K>, args: readonly unknown[]) => Promise<unknown>;
}

export interface MethodRow<K extends Kind> {
  readonly name: string;
  readonly variants: readonly MethodVariant<K>[];
  /** It changes nothing. */
  readonly reads: boolean;
}

export type Emits = "true" | "invalidates" | "const" | "false";
export interface PropertyRange extends RevisionRange {
  readonly emits: Emits;
  /** Default "read". */
  readonly access?: "read" | "readwrite";
}

export interface PropertyRow<K extends Kind> {
  readonly name: string;
  readonly signature: string;
  readonly ranges: readonly PropertyRange[];
  readonly changedBy: readonly EngineProperties[K][];
  /** Synchronous, from the engine's memory. May throw: the value is unobtainable. */
  readonly get: (target: Targets[K], service: ServiceContext) => unknown;
  /** Resolves to whether the change is to be announced on all revisions. */
  readonly set?: (target: Targets[K], value: unknown, service: ServiceContext) => Promise<boolean>;
}

/** The members of one interface, all revisions together. */
export interface InterfaceTable<K extends Kind> {
  readonly kind: K;
  /** In the order in which introspection lists them. */
  readonly methods: readonly MethodRow<K>[];
  /** In the order in which the changes of one engine property are announced. */
  readonly properties: readonly PropertyRow<K>[];
}

interface PropertyAccess<K extends Kind, S extends string> {
  readonly changedBy?: readonly EngineProperties[K][];
  readonly get: (target: Targets[K], service: ServiceContext) => Wire<S>;
  readonly set?: (target: Targets[K], value: Wire<S>, service: ServiceContext) => Promise<boolean>;
}

/** The functions that write rows for objects of kind K; the handlers' types follow from the signatures. */
export function rowsFor<K extends Kind>() {
  return {
    method: (name: string, ...variants: MethodVariant<K>[]): MethodRow<K> => ({
      name,
      variants,
      reads: false,
    }),
    /** A method that changes nothing. */
    question: (name: string, ...variants: MethodVariant<K>[]): MethodRow<K> => ({
      name,
      variants,
      reads: true,
    }),

    variant: <In extends string, Out extends string>(
      range: RevisionRange,
      args: In,
      out: Out,
      failure: Result<Out>,
      handle: (call: MethodCall<K>, ...args: WireArguments<In>) => Promise<Result<Out>>,
    ): MethodVariant<K> => ({
      ...range,
      in: parseArguments(args),
      out: parseArguments(out),
      failure,
      // The dispatcher has compared the message's signature with `in`, which gives the arguments these types.
      handle: (call, values) => handle(call, ...(values as WireArguments<In>)),
    }),

    property: <S extends string>(
      name: string,
      signature: S,
      ranges: readonly PropertyRange[],
      access: PropertyAccess<K, S>,
    ): PropertyRow<K> => {
      const row = { name, signature, ranges, changedBy: access.changedBy ?? [], get: access.get };
      // As above: the dispatcher has compared the variant's signature.
      return access.set === undefined
        ? row
        : { ...row, set: access.set as NonNullable<PropertyRow<K>["set"]> };
    },
  };
}
