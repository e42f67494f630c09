import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { router } from "./state/router.svelte.ts";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no element with id app");
router.start();
mount(App, { target });
