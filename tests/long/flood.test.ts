/** As tests/dbus/flood.test.ts, for longer. */
import { test } from "node:test";
import { withstandsFlood } from "../dbus/support/withstand";

test("twenty seconds of a flood of calls, descriptors and rules", (t) => withstandsFlood(t, 20));
