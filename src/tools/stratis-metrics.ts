#!/usr/bin/env node
import { metricsTool } from "./metrics-tool";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(metricsTool, args, output));
