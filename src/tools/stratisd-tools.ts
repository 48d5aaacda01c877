#!/usr/bin/env node
import { dumpMetadataTool } from "./dump-metadata-tool";
import { checkMetadataTool, printMetadataTool } from "./inspection-tools";
import { legacyPoolTool } from "./legacy-pool-tool";
import { dispatch } from "./tools-dispatch";
import { runProcess } from "./tool";

const tools = [dumpMetadataTool, checkMetadataTool, printMetadataTool, legacyPoolTool];

// Node.js leaves a link in it as it is.
runProcess((args, output) => dispatch(tools, process.argv[1] ?? "", args, output));
