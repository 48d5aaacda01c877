#!/usr/bin/env node
import { dumpMetadataTool } from "./dump-metadata-tool";
import { runProcess, runTool } from "./tool";

runProcess((args, output) => runTool(dumpMetadataTool, args, output));
