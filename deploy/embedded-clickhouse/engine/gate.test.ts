import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError, ERROR } from "./errors.ts";
import { Gate } from "./gate.ts";

const never = new AbortController().signal;

function hasCode(code: number): (error: unknown) => boolean {
  return (error) => error instanceof EngineError && error.code === code;
}

test("a gate lets in as many as it has places, the rest in order of arrival", async () => {
  const gate = new Gate("read", 2, 2);
  const order: string[] = [];
  const enter = async (name: string): Promise<() => void> => {
    const leave = await gate.enter(never);
    order.push(name);
    return leave;
  };
  const [leaveA] = await Promise.all([enter("a"), enter("b")]);
  const c = enter("c");
  const d = enter("d");
  assert.deepEqual(order, ["a", "b"]);
  leaveA();
  leaveA();
  (await c)();
  await d;
  assert.deepEqual(order, ["a", "b", "c", "d"]);
  assert.equal(gate.runningCount, 2);
});

test("a full queue refuses at once", async () => {
  const gate = new Gate("read", 1, 1);
  const leave = await gate.enter(never);
  const waiting = gate.enter(never);
  await assert.rejects(gate.enter(never), hasCode(ERROR.TOO_MANY_SIMULTANEOUS_QUERIES));
  leave();
  (await waiting)();
});

test("who gives up waiting leaves its place to the next", async () => {
  const gate = new Gate("read", 1, 2);
  const leave = await gate.enter(never);
  const impatient = new AbortController();
  const first = gate.enter(impatient.signal);
  const second = gate.enter(never);
  impatient.abort();
  await assert.rejects(first, hasCode(ERROR.QUERY_WAS_CANCELLED));
  leave();
  (await second)();
  assert.equal(gate.runningCount, 0);
});
