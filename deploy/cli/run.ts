/** How a command lives and ends: signals, and what an error becomes on a terminal. */
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";

/** Says a failure in words (its stack only where it is a defect) and sets the exit status. */
export function reportFailure(error: unknown): void {
  const text = error instanceof Failure || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
  process.stderr.write(`callchain: ${text}\n`);
  process.exitCode = 1;
}

/**
 * Waits for Ctrl-C (or SIGTERM, SIGHUP), or for `failed` to reject, then stops what runs. A second signal ends the process at once: what
 * was acknowledged is in the log and is stored at the next start. Rejects with what `failed` rejects with.
 */
export async function runUntilSignal(
  running: Running,
  failed: Promise<never> = new Promise<never>(() => undefined),
): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    let isStopping = false;
    const onSignal = (): void => {
      if (isStopping) process.exit(130);
      isStopping = true;
      process.stderr.write("callchain: stopping; what was accepted is being stored (once more to end at once)\n");
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
  try {
    await Promise.race([signalled, failed]);
  } finally {
    await running.stop();
  }
}
