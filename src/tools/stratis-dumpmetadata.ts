#!/usr/bin/env node
import { dumpMetadataTool } from "./dump-metadata-tool";
import { runProcess } from "./tool";

runProcess(dumpMetadataTool);
