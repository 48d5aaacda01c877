#!/usr/bin/env node
import { nameProcess } from "../history/process";
import { runMinTool } from "./min-tool";
import { runProcess } from "./tool";

nameProcess("stratis-min");
runProcess(runMinTool);
