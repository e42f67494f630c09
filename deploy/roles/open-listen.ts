/** Nothing listens beyond loopback without credentials unless the operator says so in words. */
import { flagOf } from "@callchain/schemas/runtime/config.ts";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import { formatAddress } from "@callchain/schemas/runtime/listen.ts";
import { InvalidError } from "@callchain/schemas/span/errors.ts";

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/i;

/** Throws InvalidError naming every address of the table that others could reach, unless `insecureListen` is set. */
export function refuseOpenAddresses(addresses: Readonly<Record<string, Address>>, isInsecureListenAllowed: boolean): void {
  if (isInsecureListenAllowed) return;
  const faults = Object.entries(addresses)
    .filter(([, { host }]) => !LOOPBACK.test(host))
    .map(
      ([key, address]) =>
        `${flagOf(key)}: given ${formatAddress(address)}, accepted is a loopback address: nothing there asks for credentials; ${flagOf("insecureListen")} (CALLCHAIN_INSECURE_LISTEN=true) allows it all the same`,
    );
  if (faults.length > 0) throw new InvalidError(faults.join("\n"));
}
