/**
 * Where events come from: udev's monitor, device-mapper's event descriptor, the timer. Each hands plain values to the
 * engine, and what the engine says has changed to `emit`. Nothing here waits for the engine before it listens again:
 * operations wait for udev events, and one busy pool must not hold up the others.
 */
import type { Engine, EngineChange } from "../engine/engine";
import { errorText } from "../engine/errors";
import { logger } from "../log";
import { countEvents } from "../metrics";
import { native, type FdPoll, type UdevDevice } from "../native";

const udevLog = logger("stratisd::stratis::udev_monitor");
const dmLog = logger("stratisd::stratis::dm");
const timerLog = logger("stratisd::stratis::timer");

const CHECK_INTERVAL_MILLISECONDS = 10_000;

export interface EventSource {
  stop(): void;
}

export interface EventTarget {
  engine: Engine;
  /** Called with what changed, which may be nothing. */
  emit: (changes: EngineChange[]) => void;
  /** The source has ended, and will bring nothing more. */
  fail: (source: string, error: unknown) => void;
}

/**
 * Listens for block device events. Events that come before `follow()` are kept for it, except that the engine sees
 * them at once (operations during start-up wait for them).
 */
export function watchUdev({ engine, emit, fail }: EventTarget): EventSource {
  const monitor = new (native().UdevMonitor)("block");
  const poll: FdPoll = new (native().FdPoll)(monitor.fd, () => {
    poll.stop();
    void receive();
  });
  let stopped = false;
  const receive = async (): Promise<void> => {
    try {
      const { events, overflow } = await monitor.receive();
      if (overflow) {
        udevLog.warn("Events of block devices were lost; looking at all Stratis devices again");
        handle(await allStratisDevices());
      }
      if (events.length > 0) handle(events);
      if (!stopped) poll.start();
    } catch (error) {
      if (!stopped) fail("udev", error);
    }
  };
  const handle = (events: UdevDevice[]): void => {
    udevLog.trace(`${events.length} events of block devices`);
    countEvents("udev", events.length);
    // One by one, so that what one leads to is told without waiting for what the others do.
    for (const event of events)
      engine.handleUdevEvents([event]).then(emit, (error: unknown) => {
        udevLog.warn(`Handling an event of ${event.devnode ?? "a block device"} failed: ${errorText(error)}`);
      });
  };
  poll.start();
  return {
    stop: () => {
      stopped = true;
      poll.close();
      monitor.close();
    },
  };
}

const TYPES_OF_OURS: readonly (string | undefined)[] = ["crypto_LUKS", "stratis"];

async function allStratisDevices(): Promise<UdevDevice[]> {
  const devices = await native().udevEnumerate({ subsystem: "block" });
  return devices
    .filter(({ properties }) => TYPES_OF_OURS.includes(properties["ID_FS_TYPE"]))
    .map((device) => ({ ...device, action: "change" }));
}

/** Listens for device-mapper events. The first round looks at every pool. */
export function watchDeviceMapper({ engine, emit, fail }: EventTarget): EventSource {
  const poll: FdPoll = new (native().FdPoll)(native().dmControlFd(), () => {
    poll.stop();
    void round();
  });
  let stopped = false;
  const round = async (): Promise<void> => {
    try {
      // Armed before the list is read: an event in between makes the descriptor readable again.
      await native().dmCall({ op: "arm" });
      const { devices = [] } = await native().dmCall({ op: "list" });
      dmLog.trace(`device-mapper event; ${devices.length} devices`);
      countEvents("devicemapper");
      engine.handleDmEvents(devices).then(emit, (error: unknown) => {
        dmLog.warn(`Handling device-mapper events failed: ${errorText(error)}`);
      });
      if (!stopped) poll.start();
    } catch (error) {
      if (!stopped) fail("devicemapper", error);
    }
  };
  void round();
  return {
    stop: () => {
      stopped = true;
      poll.close();
    },
  };
}

/**
 * Checks pools ten seconds from now, and then again ten seconds after each check has ended. The first round of
 * device-mapper's events looks at those that run already.
 */
export function watchClock({ engine, emit }: EventTarget): EventSource {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const later = (): NodeJS.Timeout => setTimeout(() => void round(), CHECK_INTERVAL_MILLISECONDS);
  const round = async (): Promise<void> => {
    try {
      countEvents("timer");
      emit(await engine.periodicCheck());
    } catch (error) {
      timerLog.warn(`The check of pools failed: ${errorText(error)}`);
    }
    if (!stopped) timer = later();
  };
  timer = later();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
