/** A client that fetched everything once and has only listened to signals since. */
import assert from "node:assert/strict";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER, PROPERTIES } from "../../../src/dbus/names";
import { plain, RemoteError, type Client, type Received } from "./client";
import { DECLARED } from "./declared";

type Properties = Record<string, unknown>;
/** By path and interface. */
type Picture = Record<string, Record<string, Properties>>;

const MANAGERS = Object.keys(DECLARED).filter((name) => name.startsWith(`${BUS_NAME}.Manager.`));

/**
 * Properties of which no signal tells: those declared so, and two that upstream declares constant or announced and
 * treats otherwise (dbus-api.md §21, traps 10 and 11).
 */
function isFollowed(name: string, property: string): boolean {
  const declared = DECLARED[name]?.properties.find((candidate) => candidate.name === property);
  assert.ok(declared, `${name} has no property ${property}`);
  if (property === "Encrypted") return declared.emitsChanged === "true";
  return declared.emitsChanged !== "false";
}

async function managers(client: Client): Promise<Record<string, Properties>> {
  const all = await Promise.all(
    MANAGERS.map(async (name) => {
      const [values] = await client.call("GetAll", { interface: PROPERTIES, signature: "s", body: [name] });
      return [name, plain(values)] as const;
    }),
  );
  return Object.fromEntries(all) as Record<string, Properties>;
}

/** What a client sees that asks now. */
export async function fresh(client: Client): Promise<Picture> {
  const [objects] = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  return { ...(plain(objects) as Picture), [BASE_PATH]: await managers(client) };
}

export class Follower {
  #picture: Picture = {};
  /** Values that a signal said to be outdated; to be fetched when they are wanted. */
  readonly #outdated: { path: string; name: string; property: string }[] = [];

  private constructor(readonly client: Client) {
    client.onSignal = (message) => {
      this.#hear(message);
    };
  }

  static async start(client: Client): Promise<Follower> {
    const follower = new Follower(client);
    follower.#picture = await fresh(client);
    return follower;
  }

  #hear({ member, path = "", body }: Received): void {
    const [first, second, third] = plain(body) as unknown[];
    if (member === "InterfacesAdded") {
      const object = (this.#picture[first as string] ??= {});
      for (const [name, values] of Object.entries(second as Record<string, Properties>)) {
        assert.equal(object[name], undefined, `${first as string} has ${name} already`);
        object[name] = values;
      }
    } else if (member === "InterfacesRemoved") {
      const object = this.#picture[first as string];
      assert.ok(object, `${first as string} was removed and was not there`);
      for (const name of second as string[]) {
        assert.ok(object[name], `${first as string} lost ${name} and did not have it`);
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a dictionary by name
        delete object[name];
      }
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a dictionary by path
      if (Object.keys(object).length === 0) delete this.#picture[first as string];
    } else if (member === "PropertiesChanged") {
      const name = first as string;
      const values = this.#picture[path]?.[name];
      assert.ok(values, `properties of ${name} on ${path} changed and were not there`);
      Object.assign(values, second);
      for (const property of third as string[]) this.#outdated.push({ path, name, property });
    }
  }

  async #refresh(): Promise<void> {
    for (const { path, name, property } of this.#outdated.splice(0)) {
      const values = this.#picture[path]?.[name];
      if (values === undefined) continue;
      try {
        values[property] = await this.client.get(path, name, property);
      } catch (error) {
        // Its object went meanwhile.
        if (!(error instanceof RemoteError)) throw error;
      }
    }
  }

  /**
   * Throws unless what was followed is what a fresh look shows. `untold`: objects whose user info was changed by
   * SetUserInfo, of which upstream tells nobody.
   */
  async check(untold: ReadonlySet<string>): Promise<void> {
    await this.#refresh();
    const now = await fresh(this.client);
    const trimmed = (picture: Picture): Picture =>
      Object.fromEntries(
        Object.entries(picture).map(([path, object]) => [
          path,
          Object.fromEntries(
            Object.entries(object).map(([name, values]) => [
              name,
              Object.fromEntries(
                Object.entries(values).filter(
                  ([property]) =>
                    isFollowed(name, property) && !(property === "UserInfo" && untold.has(path)),
                ),
              ),
            ]),
          ),
        ]),
      );
    assert.deepEqual(trimmed(this.#picture), trimmed(now));
    for (const [path, object] of Object.entries(now))
      for (const [name, values] of Object.entries(object))
        assert.deepEqual(
          Object.keys(values).sort(),
          DECLARED[name]?.properties.map((property) => property.name).sort(),
          `properties of ${name} on ${path}`,
        );
  }
}
