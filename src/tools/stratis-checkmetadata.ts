#!/usr/bin/env node
import { checkMetadataTool } from "./inspection-tools";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(checkMetadataTool, args, output));
