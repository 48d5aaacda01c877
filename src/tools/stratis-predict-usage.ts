#!/usr/bin/env node
import { predictUsageTool } from "./predict-usage-tool";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(predictUsageTool, args, output));
