/** SQL at the running all-in-one's engine, for tests. */
import { createClient } from "@clickhouse/client";

/** Rows of a SELECT without FORMAT clause. */
export async function askEngine<T>(url: string, query: string): Promise<T[]> {
  const client = createClient({ url });
  try {
    const answer = await client.query({ query, format: "JSONEachRow" });
    return await answer.json<T>();
  } finally {
    await client.close();
  }
}

/** A statement without an answer. */
export async function commandEngine(url: string, query: string): Promise<void> {
  const client = createClient({ url });
  try {
    await client.command({ query });
  } finally {
    await client.close();
  }
}
