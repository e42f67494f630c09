/** The address bar as reactive state: `router.route`, `router.params`, and ways to change them. */
import { changeParams, hrefOf, parseRoute, type ParamChanges, type Route } from "../lib/route.ts";
import { isDefaultRange, rangeChanges, readRange, type TimeRange } from "../lib/time-range.ts";

interface NavigateOptions {
  /** Puts the new address in the place of the current one instead of adding a step to the history. */
  readonly replace?: boolean;
}

class Router {
  #url = $state.raw(new URL(location.href));
  readonly #route = $derived(parseRoute(this.#url.pathname));
  readonly #range = $derived(readRange(this.#url.searchParams));

  get route(): Route {
    return this.#route;
  }

  /** The query string. Treat as read-only; change it by setParams. */
  get params(): URLSearchParams {
    return this.#url.searchParams;
  }

  /** The time range of the header, from `from` and `to`. */
  get range(): TimeRange {
    return this.#range;
  }

  /** Goes to an address of this site: a path with a query string. */
  navigate(href: string, options: NavigateOptions = {}): void {
    const url = new URL(href, location.href);
    if (url.href === this.#url.href) return;
    history[options.replace === true ? "replaceState" : "pushState"](null, "", url);
    const samePage = url.pathname === this.#url.pathname;
    this.#url = url;
    if (!samePage) scrollTo(0, 0);
  }

  /** Changes some of the query string and stays on the page. Browsers limit calls to about 100 in 30 s: debounce while dragging. */
  setParams(changes: ParamChanges, options: NavigateOptions = {}): void {
    this.navigate(hrefOf(this.#route, changeParams(this.params, changes)), options);
  }

  setRange(range: TimeRange): void {
    this.setParams({ ...rangeChanges(range), cursor: null });
  }

  /** The address of a page with the time range of this one. */
  link(route: Route, changes: ParamChanges = {}): string {
    const range = isDefaultRange(this.#range) ? {} : rangeChanges(this.#range);
    return hrefOf(route, changeParams(new URLSearchParams(), { ...range, ...changes }));
  }

  /** The address of this page with some of the query string changed. */
  here(changes: ParamChanges): string {
    return hrefOf(this.#route, changeParams(this.params, changes));
  }

  /** Follows the history's back and forward and plain clicks on links of this site. Call once. */
  start(): void {
    addEventListener("popstate", () => {
      this.#url = new URL(location.href);
    });
    document.addEventListener("click", (event) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
        return;
      const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
      if (link === null || link.hasAttribute("target") || link.hasAttribute("download")) return;
      const url = new URL(link instanceof HTMLAnchorElement ? link.href : (link.getAttribute("href") ?? ""), location.href);
      if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
      if (url.hash !== "" && url.pathname === location.pathname && url.search === location.search) return;
      event.preventDefault();
      this.navigate(url.href);
    });
  }
}

export const router = new Router();
