/**
 * Imported first by the command line, before the heap grows. Request bodies are ArrayBuffers outside of V8's heap, tens of MB a second
 * under load, nearly all dead within milliseconds.
 *
 * - By default each 64 MB of them starts a full mark of the heap, several a second. Counted into the heap's own limit instead, the
 *   collector runs when there is something to collect.
 * - They are freed when the young generation is: kept small, it is collected several times a second in under a millisecond, and
 *   full marks are rare. Left to grow to 16 MB it held over 100 MB of dead bodies. (A growth factor of 1; the sizes themselves can
 *   only be given on node's command line.)
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--external-memory-accounted-in-global-limit");
setFlagsFromString("--semi-space-growth-factor=1");
