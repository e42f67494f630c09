/**
 * Orders the nodes of each layer so that few edges cross, by barycentres (Sugiyama, Tagawa, Toda 1981): layer after layer, down and up
 * again, each node goes to the mean place of its neighbours in the layer before. On plain arrays, since for two hundred services and the
 * bends of their edges it is half of the layout's time on graph objects.
 */
export interface Layered {
  /** Of each node. */
  readonly layers: Int32Array;
  /** Ends are in neighbouring layers: the upper one first. */
  readonly edges: readonly (readonly [from: number, to: number, weight: number])[];
}

const SWEEPS_MAX = 24;
/** Sweeps without fewer crossings after which it ends. */
const PATIENCE = 6;

/** The place of each node within its layer. The same graph always has the same order. */
export function orderLayers({ layers, edges }: Layered): Int32Array {
  const places = new Int32Array(layers.length);
  const neighbours = joinNeighbours(layers.length, edges);
  const byLayer = initialLayers(layers, neighbours.down);
  place(byLayer, places);
  let best = places.slice();
  let fewest = countCrossings(byLayer, places, neighbours.down);
  let since = 0;
  for (let sweep = 0; sweep < SWEEPS_MAX && since < PATIENCE && fewest > 0; sweep += 1) {
    const isDown = sweep % 2 === 0;
    for (let step = 1; step < byLayer.length; step += 1) {
      const layer = byLayer[isDown ? step : byLayer.length - 1 - step] ?? [];
      // Ties go one way in one pair of sweeps and the other way in the next, so that a bad start is left.
      sortByBarycentre(layer, places, isDown ? neighbours.up : neighbours.down, sweep % 4 >= 2);
    }
    const crossings = countCrossings(byLayer, places, neighbours.down);
    since += 1;
    if (crossings >= fewest) continue;
    fewest = crossings;
    best = places.slice();
    since = 0;
  }
  return best;
}

type Neighbours = readonly (readonly (readonly [node: number, weight: number])[])[];

function joinNeighbours(count: number, edges: Layered["edges"]): { up: Neighbours; down: Neighbours } {
  const up: [number, number][][] = Array.from({ length: count }, () => []);
  const down: [number, number][][] = Array.from({ length: count }, () => []);
  for (const [from, to, weight] of edges) {
    down[from]?.push([to, weight]);
    up[to]?.push([from, weight]);
  }
  return { up, down };
}

/** Depth first from the top, so that what hangs together stands together. */
function initialLayers(layers: Int32Array, down: Neighbours): number[][] {
  const byLayer: number[][] = Array.from({ length: layers.reduce((most, layer) => Math.max(most, layer + 1), 0) }, () => []);
  const isPlaced = new Uint8Array(layers.length);
  const roots = Array.from(layers.keys()).sort((a, b) => (layers[a] ?? 0) - (layers[b] ?? 0));
  const waiting: number[] = [];
  for (const root of roots) {
    waiting.push(root);
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (isPlaced[node] === 1) continue;
      isPlaced[node] = 1;
      byLayer[layers[node] ?? 0]?.push(node);
      for (const [next] of (down[node] ?? []).toReversed()) waiting.push(next);
    }
  }
  return byLayer;
}

function place(byLayer: readonly (readonly number[])[], places: Int32Array): void {
  for (const layer of byLayer) layer.forEach((node, at) => (places[node] = at));
}

/** A node without neighbours on that side stays where it is, and the others fill the places between. */
function sortByBarycentre(layer: number[], places: Int32Array, neighbours: Neighbours, isReversed: boolean): void {
  const movable = layer.filter((node) => (neighbours[node]?.length ?? 0) > 0);
  const centres = new Map(
    movable.map((node) => {
      let sum = 0;
      let weights = 0;
      for (const [other, weight] of neighbours[node] ?? []) {
        sum += (places[other] ?? 0) * weight;
        weights += weight;
      }
      return [node, weights === 0 ? 0 : sum / weights] as const;
    }),
  );
  const tie = isReversed ? -1 : 1;
  movable.sort((a, b) => (centres.get(a) ?? 0) - (centres.get(b) ?? 0) || tie * ((places[a] ?? 0) - (places[b] ?? 0)));
  let next = 0;
  layer.forEach((node, at) => {
    if (!centres.has(node)) return;
    layer[at] = movable[next] ?? node;
    next += 1;
  });
  layer.forEach((node, at) => (places[node] = at));
}

/** Of all pairs of neighbouring layers, each crossing by the product of its edges' weights; with a tree of sums (Barth, Jünger, Mutzel 2002). */
export function countCrossings(byLayer: readonly (readonly number[])[], places: Int32Array, down: Neighbours): number {
  let crossings = 0;
  for (const [index, layer] of byLayer.entries()) {
    const width = byLayer[index + 1]?.length ?? 0;
    if (width === 0) continue;
    const sums = new Float64Array(width + 1);
    let total = 0;
    for (const node of layer) {
      const ends = (down[node] ?? []).map(([other, weight]) => [places[other] ?? 0, weight] as const).sort((a, b) => a[0] - b[0]);
      for (const [at, weight] of ends) crossings += weight * (total - sumUpTo(sums, at));
      for (const [at, weight] of ends) {
        total += weight;
        for (let slot = at + 1; slot <= width; slot += slot & -slot) sums[slot] = (sums[slot] ?? 0) + weight;
      }
    }
  }
  return crossings;
}

/** Of the places 0 to `at`. */
function sumUpTo(sums: Float64Array, at: number): number {
  let sum = 0;
  for (let slot = at + 1; slot > 0; slot -= slot & -slot) sum += sums[slot] ?? 0;
  return sum;
}
