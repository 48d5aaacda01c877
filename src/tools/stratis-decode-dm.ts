#!/usr/bin/env node
import { decodeDmTool } from "./decode-dm-tool";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(decodeDmTool, args, output));
