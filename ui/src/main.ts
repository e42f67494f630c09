import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { hasKeptFile } from "./state/kept-file.ts";
import { router } from "./state/router.svelte.ts";
import { loadEarly } from "./state/trace-loading.ts";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no element with id app");
// A trace of the tab's file is not the server's to give.
if (router.route.page === "trace" && !hasKeptFile()) loadEarly(router.route.traceId, router.params.get("span"));
router.start();
mount(App, { target });
