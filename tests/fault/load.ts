/** Senders that run beside what a test does. */
import type { Ledger } from "./ledger.ts";

/** `senderCount` senders, each one request after another, while `run` runs; they have ended when it resolves or rejects. */
export async function underLoad(
  ledger: Ledger,
  senderCount: number,
  endpoint: () => string,
  run: () => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const senders = Array.from({ length: senderCount }, () => ledger.sendUntil(stopping.signal, endpoint, 50));
  try {
    await Promise.race([run(), Promise.all(senders)]);
  } finally {
    stopping.abort();
    await Promise.all(senders);
  }
}
