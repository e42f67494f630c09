/**
 * Imported first by the command line. Request bodies are ArrayBuffers outside of V8's heap; by default each 64 MB of them starts a
 * full mark of the heap, several a second under load (a third of the receivers' CPU). Counted into the heap's own limit instead, the
 * collector runs when there is something to collect.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--external-memory-accounted-in-global-limit");
