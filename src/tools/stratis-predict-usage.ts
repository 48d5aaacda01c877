#!/usr/bin/env node
import { predictUsageTool } from "./predict-usage-tool";
import { runProcess } from "./tool";

runProcess(predictUsageTool);
