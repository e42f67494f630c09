#!/usr/bin/env node
/** The command line. */
import "./v8-flags.ts";

// Only now: reading all the modules makes the heap grow, which the flags are about.
const { runCommandLine } = await import("./commands.ts");
await runCommandLine();
