/** A client of the daemon that only listens to signals has to know at any time what one sees that asks. */
import { Client } from "../../dbus/support/client";
import { Follower } from "../../dbus/support/follower";
import { until } from "../cases/support";
import { SYSTEM_BUS } from "../guest/bus";

const CALL_MILLISECONDS = 60_000;
/** What a background check has found is announced when the check has ended. */
const ANNOUNCED_MILLISECONDS = 20_000;
const NOTHING_UNTOLD: ReadonlySet<string> = new Set();

export class Listener {
  #follower: Follower | null = null;

  /** Looks at everything once, if it is not listening yet. */
  async begin(): Promise<void> {
    this.#follower ??= await Follower.start(await Client.connect(SYSTEM_BUS, CALL_MILLISECONDS));
  }

  /** Throws unless it knows everything, if it is listening. */
  async check(): Promise<void> {
    const follower = this.#follower;
    if (follower === null) return;
    let missed: unknown;
    await until(
      () => `what signals told is what there is: ${String(missed)}`,
      async () => {
        try {
          await follower.check(NOTHING_UNTOLD);
          return true;
        } catch (error) {
          missed = error;
          return false;
        }
      },
      ANNOUNCED_MILLISECONDS,
    );
  }

  async end(): Promise<void> {
    const follower = this.#follower;
    this.#follower = null;
    await follower?.client.close();
  }
}
