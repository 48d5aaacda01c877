#!/usr/bin/env node
import { runMinTool } from "./min-tool";
import { runProcess } from "./tool";

runProcess(runMinTool);
