/** One sign for each part that a node plays. */
import Box from "@lucide/svelte/icons/box";
import Database from "@lucide/svelte/icons/database";
import DoorOpen from "@lucide/svelte/icons/door-open";
import Globe from "@lucide/svelte/icons/globe";
import Mail from "@lucide/svelte/icons/mail";
import Waypoints from "@lucide/svelte/icons/waypoints";
import type { Component } from "svelte";
import type { Tier } from "../../lib/map/tiers.ts";

export const TIER_ICONS: Record<Tier, Component<{ size?: number | string }>> = {
  edge: DoorOpen,
  gateway: Waypoints,
  service: Box,
  dataStore: Database,
  queue: Mail,
  external: Globe,
};

/** As a request passes through them. */
export const TIERS: readonly Tier[] = ["edge", "gateway", "service", "dataStore", "queue", "external"];
