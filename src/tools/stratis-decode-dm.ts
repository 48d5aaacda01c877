#!/usr/bin/env node
import { decodeDmTool } from "./decode-dm-tool";
import { runProcess } from "./tool";

runProcess(decodeDmTool);
