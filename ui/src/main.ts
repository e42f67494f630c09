import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { router } from "./state/router.svelte.ts";
import { loadEarly } from "./state/trace-loading.ts";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no element with id app");
if (router.route.page === "trace") loadEarly(router.route.traceId);
router.start();
mount(App, { target });
