#!/usr/bin/env node
import { printMetadataTool } from "./inspection-tools";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(printMetadataTool, args, output));
