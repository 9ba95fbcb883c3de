#!/usr/bin/env node
import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };

await new Command("everstep").version(manifest.version).parseAsync();
