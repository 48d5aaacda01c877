#!/usr/bin/env node
import { legacyPoolTool } from "./legacy-pool-tool";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(legacyPoolTool, args, output));
