/** An all-in-one and a browser, for the tests of a page. */
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { openBrowser, openPage, type PageOptions, type WatchedPage } from "./browser.ts";
import { getJson, makeTempDir, removeDir, startCallchain, type CallchainProcess } from "./process.ts";

export interface PageStack {
  /** Another one after an outage. */
  readonly callchain: CallchainProcess;
  readonly browser: Browser;
  /** A page of its own at the path. */
  open(path: string, options?: PageOptions): Promise<WatchedPage>;
  /** The newest trace of the last three hours that matches the parameters of a search. */
  findTraceId(parameters: string): Promise<string>;
  /** Away while `run` runs, and then back with its data at the same address of the page. */
  outage(run: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Without a span. The caller closes it. */
export async function openPageStack(): Promise<PageStack> {
  const dataDir = makeTempDir();
  let callchain = await startCallchain(dataDir);
  const browser = await openBrowser();
  return {
    get callchain() {
      return callchain;
    },
    browser,
    open: async (path, options = {}) => {
      const watched = await openPage(browser, options);
      await watched.page.goto(callchain.queryUrl + path);
      return watched;
    },
    findTraceId: async (parameters) => {
      const url = `${callchain.queryUrl}/api/v1/traces?from=now-3h&limit=1&${parameters}`;
      const [trace] = TraceSearchAnswer.parse(await getJson(url)).traces;
      assert.ok(trace !== undefined, `no trace for ${parameters}`);
      return trace.traceId;
    },
    outage: async (run) => {
      const { host } = new URL(callchain.queryUrl);
      await callchain.stop();
      await run();
      callchain = await startCallchain(dataDir, ["--query-address", host]);
    },
    close: async () => {
      await browser.close();
      await callchain.stop();
      removeDir(dataDir);
    },
  };
}
