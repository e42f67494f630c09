#!/usr/bin/env node
// @ts-check
/** `npx callchain ...` in a clone: what `npm start -- ...` does. */
import process from "node:process";

process.argv.splice(2, 0, "start");
await import("./bootstrap.mjs");
