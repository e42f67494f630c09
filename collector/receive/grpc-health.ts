/**
 * grpc.health.v1 (grpc/grpc `src/proto/grpc/health/v1/health.proto`):
 *   HealthCheckRequest  service 1 string      HealthCheckResponse  status 1 enum: SERVING 1, NOT_SERVING 2
 */
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";

const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const SERVING = 1;
const NOT_SERVING = 2;
const NAME_BYTES_MAX = 127;

/** The answer to Check. Throws Failure "not_found" for a service that is not here, as the protocol asks. */
export function checkHealth(request: Uint8Array, services: readonly string[], isServing: boolean): Uint8Array {
  const service = parseService(request);
  if (service !== "" && !services.includes(service)) {
    throw new Failure("not_found", `no service ${JSON.stringify(service)} here; served are ${services.join(", ")}`);
  }
  return Uint8Array.of(STATUS_TAG, isServing ? SERVING : NOT_SERVING);
}

function parseService(request: Uint8Array): string {
  if (request.length === 0) return "";
  const length = request[1];
  if (request[0] !== SERVICE_TAG || length === undefined || length > NAME_BYTES_MAX || request.length !== 2 + length) {
    throw new InvalidError("the message is not a grpc.health.v1.HealthCheckRequest");
  }
  return new TextDecoder().decode(request.subarray(2));
}
