#!/usr/bin/env node
import { dumpMetadataTool } from "./dump-metadata-tool";
import { checkMetadataTool, printMetadataTool } from "./inspection-tools";
import { legacyPoolTool } from "./legacy-pool-tool";
import { dispatch } from "./tools-dispatch";
import { runProcess } from "./tool";

const tools = [dumpMetadataTool, checkMetadataTool, printMetadataTool, legacyPoolTool];

runProcess((args, output) => dispatch(tools, args, output));
