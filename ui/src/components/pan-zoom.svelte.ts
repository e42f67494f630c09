/** Zoom and pan of a drawing, kept in the URL as `zoom=<x>,<y>,<scale>`: what stands in the middle, in the drawing's units, and how large. */
import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomTransform } from "d3-zoom";
import { untrack } from "svelte";
import { readZoom, writeZoom } from "../lib/zoom.ts";
import { router } from "../state/router.svelte.ts";

const ZOOM_STEP = 1.35;

export interface ZoomLimits {
  readonly scaleMin: number;
  readonly scaleMax: number;
  /** Beyond this a small drawing is not blown up to fill its room. */
  readonly fitScaleMax: number;
}

export class PanZoom {
  transform = $state.raw<ZoomTransform>(zoomIdentity);
  readonly #limits: ZoomLimits;
  readonly #behaviour = zoom<SVGSVGElement, unknown>();
  #svg: SVGSVGElement | null = null;
  #size = { width: 0, height: 0 };
  /** As this object put it: what the reader did since is told by the difference. */
  #placed: ZoomTransform = zoomIdentity;

  constructor(limits: ZoomLimits) {
    this.#limits = limits;
    this.#behaviour
      .scaleExtent([limits.scaleMin, limits.scaleMax])
      .on("zoom", (event: { transform: ZoomTransform }) => (this.transform = event.transform))
      .on("end", () => this.#remember());
  }

  /** Listens to wheel and drag; returns what ends that. */
  attach(svg: SVGSVGElement): () => void {
    this.#svg = svg;
    const selection = select(svg);
    selection.call(this.#behaviour).on("dblclick.zoom", null);
    return () => {
      selection.on(".zoom", null);
      this.#svg = null;
    };
  }

  /** Shows a drawing of this size as the URL says, else whole, but not smaller than `scaleMin`: then its beginning. */
  place(size: { readonly width: number; readonly height: number }, scaleMin: number): void {
    this.#size = size;
    const wanted = untrack(() => readZoom(router.params.get("zoom")));
    if (this.#svg === null || size.width === 0) return;
    if (wanted === null) return this.#show(this.#fitting(this.#svg, scaleMin));
    const { clientWidth, clientHeight } = this.#svg;
    this.#show(
      zoomIdentity
        .translate(clientWidth / 2 - wanted.x * wanted.scale, clientHeight / 2 - wanted.y * wanted.scale)
        .scale(wanted.scale),
    );
  }

  /** The whole drawing, however small; forgets what the URL says. */
  fit(): void {
    if (this.#svg === null || this.#size.width === 0) return;
    this.#show(this.#fitting(this.#svg, this.#limits.scaleMin));
    router.setParams({ zoom: null }, { replace: true });
  }

  zoomIn(): void {
    this.#zoomBy(ZOOM_STEP);
  }
  zoomOut(): void {
    this.#zoomBy(1 / ZOOM_STEP);
  }

  #zoomBy(factor: number): void {
    if (this.#svg !== null) this.#behaviour.scaleBy(select(this.#svg), factor);
  }

  #fitting({ clientWidth, clientHeight }: SVGSVGElement, scaleMin: number): ZoomTransform {
    const { width, height } = this.#size;
    const whole = Math.min(this.#limits.fitScaleMax, clientWidth / width, clientHeight / height);
    const scale = Math.max(scaleMin, whole);
    return zoomIdentity
      .translate(Math.max(0, (clientWidth - width * scale) / 2), (clientHeight - height * scale) / 2)
      .scale(scale);
  }

  #show(transform: ZoomTransform): void {
    if (this.#svg === null) return;
    this.#placed = transform;
    this.#behaviour.transform(select(this.#svg), transform);
  }

  #remember(): void {
    if (this.#svg === null || this.transform.toString() === this.#placed.toString()) return;
    this.#placed = this.transform;
    const [x, y] = this.transform.invert([this.#svg.clientWidth / 2, this.#svg.clientHeight / 2]);
    router.setParams({ zoom: writeZoom({ x, y, scale: this.transform.k }) }, { replace: true });
  }
}
