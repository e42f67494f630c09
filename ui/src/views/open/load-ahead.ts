/** Loads what the traces of a file need, so that the connection may go away before one is opened. */
// oxlint-disable-next-line import/default -- the address of a worker, which the build makes
import layoutWorker from "../map/layout-worker.ts?worker&url";
// oxlint-disable-next-line import/default -- the address of a worker, which the build makes
import skeletonWorker from "../trace/skeleton-worker.ts?worker&url";
// oxlint-disable-next-line import/default -- the address of a worker, which the build makes
import fileWorker from "./file-worker.ts?worker&url";

/** What cannot be had now is asked for again when it is needed. */
export async function loadAhead(): Promise<void> {
  const workers = [layoutWorker, skeletonWorker, fileWorker].map((url) => fetch(url).then((response) => response.arrayBuffer()));
  const views = [
    import("../trace/TracePage.svelte"),
    import("../trace/FlameView.svelte"),
    import("../trace/CallGraphView.svelte"),
    import("../../components/HelpDialog.svelte"),
    import("../../components/Palette.svelte"),
  ];
  await Promise.allSettled([...workers, ...views]);
}
