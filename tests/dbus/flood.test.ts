/** One client sends without end: everybody else is served as ever. */
import { test } from "node:test";
import { withstandsFlood } from "./support/withstand";

test("five seconds of a flood of calls, descriptors and rules", (t) => withstandsFlood(t, 5));
