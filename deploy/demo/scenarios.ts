/** What happens in the shop. Each scenario is one request of a person, from the browser to the last message. */
import { SpanKind } from "@opentelemetry/api";
import type { Attributes, SpanContext } from "@opentelemetry/api";
import { SLOW_INVENTORY } from "./shop.ts";
import { STACK_TRACES } from "./stack-traces.ts";
import type { Call, TraceBuilder } from "./trace-builder.ts";

/** Orders that notification has not yet mailed: a later batch links to their producers. */
export type Outbox = SpanContext[];
export type Scenario = (trace: TraceBuilder, startMs: number, outbox: Outbox) => void;

const route = (method: string, path: string, status = 200): Attributes => ({
  "http.request.method": method,
  "http.route": path,
  "url.path": path,
  "http.response.status_code": status,
});
const grpc = (service: string, method: string): Attributes => ({
  "rpc.system": "grpc",
  "rpc.service": `shop.${service}`,
  "rpc.method": method,
});

function database(call: Call, system: string, namespace: string, operation: string, query: string, medianMs: number): Call {
  return call.inner(`${operation} ${namespace}`, SpanKind.CLIENT, (db) => {
    db.set({
      "db.system.name": system,
      "db.namespace": namespace,
      "db.operation.name": operation,
      "db.query.text": query,
      "server.address": `${system}.shop.internal`,
    });
    db.work(medianMs);
  });
}

/** Storefront -> gateway: the two spans that every request of a person has. */
function request(trace: TraceBuilder, startMs: number, method: string, path: string, body: (gateway: Call) => void): void {
  const random = trace.random;
  const user = { "enduser.id": `user-${random.integer(1, 5000)}`, "session.id": random.hex(12) };
  trace.root("storefront", `${method} ${path}`, SpanKind.INTERNAL, startMs, (browser) => {
    browser.set({ ...user, "user_agent.original": "Mozilla/5.0 (demo)", "url.full": `https://shop.example${path}` }).work(1);
    const answer = browser.remote("api-gateway", `${method} ${path}`, { client: route(method, path) }, (gateway) => {
      gateway.set({ ...user, "client.address": `203.0.113.${random.integer(1, 254)}` }).work(0.8);
      gateway.remote("accounts", "shop.Accounts/Verify", { client: grpc("Accounts", "Verify") }, (accounts) => {
        accounts.work(0.6);
        database(accounts, "redis", "sessions", "GET", "GET session:?", 0.4);
      });
      body(gateway);
      gateway.work(0.5);
      if (gateway.failed) gateway.set({ "http.response.status_code": 500 });
    });
    if (answer.failed) browser.fail("the page could not be loaded");
    if (browser.random.chance(0.3)) browser.inner("render", SpanKind.INTERNAL, (render) => render.work(12));
  });
}

const browse: Scenario = (trace, startMs) =>
  request(trace, startMs, "GET", "/products", (gateway) => {
    gateway.remote("catalog", "GET /products", { client: route("GET", "/products") }, (catalog) => {
      catalog.work(2);
      database(catalog, "mongodb", "catalog", "find", "db.products.find({category: ?}).limit(50)", 6);
      catalog.inner("assemble", SpanKind.INTERNAL, (assemble) => assemble.work(3));
    });
  });

/** A product page asks for everything at once. Recommendation's host has a clock that runs ahead. */
const productPage: Scenario = (trace, startMs) =>
  request(trace, startMs, "GET", "/products/{id}", (gateway) => {
    const sku = `SKU-${trace.random.integer(100, 999)}`;
    gateway.parallel([
      (call) =>
        void call.remote(
          "catalog",
          "GET /products/{id}",
          { client: { ...route("GET", "/products/{id}"), "product.sku": sku } },
          (catalog) => {
            catalog.work(1.5);
            database(catalog, "mongodb", "catalog", "findOne", "db.products.findOne({sku: ?})", 3);
            if (!trace.random.chance(0.04)) return;
            catalog.set({ "http.response.status_code": 500 });
            catalog.fail('Cannot invoke "shop.catalog.Price.amount()" because "price" is null', STACK_TRACES.java);
            gateway.fail("upstream answered 500");
          },
        ),
      (call) =>
        void call.remote("recommendation", "GET /similar/{id}", { client: route("GET", "/similar/{id}") }, (recommendation) => {
          recommendation.work(9);
          recommendation.inner("rank", SpanKind.INTERNAL, (rank) =>
            rank.set({ "model.name": "similar-v7", "model.candidates": 240 }).work(14),
          );
        }),
      (call) =>
        void call.remote("inventory", "shop.Inventory/Available", { client: grpc("Inventory", "Available") }, (inventory) => {
          inventory.work(0.7);
          database(inventory, "redis", "stock-cache", "GET", "GET stock:?", 0.4);
        }),
      ...Array.from({ length: 4 }, (_, image) => (call: Call) => {
        call.remote(
          "catalog",
          "GET /images/{id}",
          { client: { ...route("GET", "/images/{id}"), "image.index": image } },
          (images) => {
            images.work(4);
          },
        );
      }),
    ]);
  });

/** The list of orders asks the database once per order: an N+1. */
const orderHistory: Scenario = (trace, startMs) =>
  request(trace, startMs, "GET", "/orders", (gateway) => {
    gateway.remote("orders", "GET /orders", { client: route("GET", "/orders") }, (orders) => {
      orders.work(1);
      database(orders, "postgresql", "orders", "SELECT", "SELECT id FROM orders WHERE customer_id = $1", 3);
      for (let order = 0, count = trace.random.integer(14, 42); order < count; order += 1) {
        database(orders, "postgresql", "orders", "SELECT", "SELECT * FROM order_items WHERE order_id = $1", 2.4);
      }
    });
  });

const cartUpdate: Scenario = (trace, startMs) =>
  request(trace, startMs, "POST", "/cart/items", (gateway) => {
    gateway.remote("cart", "POST /cart/items", { client: route("POST", "/cart/items", 201) }, (cart) => {
      cart.work(1);
      database(cart, "redis", "carts", "HSET", "HSET cart:? ? ?", 0.6);
      cart.remote("inventory", "shop.Inventory/Available", { client: grpc("Inventory", "Available") }, (inventory) => {
        inventory.work(0.8);
        database(inventory, "redis", "stock-cache", "GET", "GET stock:?", 0.4);
      });
    });
  });

/** inventory 3.2.0 takes row locks in the wrong order: on its host the stock query waits. */
function reserveStock(checkout: Call): void {
  checkout.remote("inventory", "shop.Inventory/Reserve", { client: grpc("Inventory", "Reserve") }, (inventory) => {
    inventory.work(1.2);
    const isSlow = inventory.instance.version === SLOW_INVENTORY.version && inventory.random.chance(0.5);
    const query = "UPDATE stock SET reserved = reserved + $1 WHERE sku = $2";
    const db = database(inventory, "postgresql", "stock", "UPDATE", query, isSlow ? 1900 : 5);
    if (isSlow) inventory.event("lock wait", { "lock.wait_ms": Math.round(db.elapsedMs), "lock.table": "stock" });
  });
}

/** The bank refuses for a while and payment tries again and again, with too little patience between the tries. */
function charge(checkout: Call): Call {
  const isStorm = checkout.random.chance(0.07);
  return checkout.remote("payment", "POST /charge", { client: route("POST", "/charge") }, (payment) => {
    payment
      .set({ "payment.provider": "bank.example", "payment.amount": Math.round(payment.random.between(5, 400) * 100) / 100 })
      .work(1.5);
    const attempts = isStorm ? payment.random.integer(5, 9) : 1;
    const recovers = !isStorm || payment.random.chance(0.3);
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const isFailure = isStorm && !(recovers && attempt === attempts);
      payment.inner("POST", SpanKind.CLIENT, (bank) => {
        bank.set({
          "http.request.method": "POST",
          "url.full": "https://api.bank.example/v2/charges",
          "server.address": "api.bank.example",
          "http.request.resend_count": attempt - 1,
          "http.response.status_code": isFailure ? 503 : 200,
        });
        bank.work(isFailure ? 120 : 38);
        if (isFailure) bank.fail("503 from the bank", STACK_TRACES.node);
      });
      if (isFailure) payment.event("retry", { attempt }).work(25);
    }
    if (isStorm && !recovers) payment.set({ "http.response.status_code": 502 }).fail(`gave up after ${attempts} tries`);
  });
}

function publishOrder(checkout: Call, outbox: Outbox): void {
  checkout.inner("send orders", SpanKind.PRODUCER, (producer) => {
    const messaging = { "messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.operation.type": "send" };
    producer.set({ ...messaging, "messaging.kafka.message.key": `order-${producer.random.integer(1, 90_000)}` }).work(1.4);
    outbox.push(producer.context);
    producer.delivered("shipping", "process orders", producer.random.between(3, 60), (consumer) => {
      consumer.set({ ...messaging, "messaging.operation.type": "process", "messaging.consumer.group.name": "shipping" }).work(6);
      consumer.remote("billing", "POST /invoices", { client: route("POST", "/invoices", 201) }, (billing) => {
        // The legacy exporter of billing loses its server spans now and then: the spans below it have no parent.
        if (billing.random.chance(0.35)) billing.drop();
        billing.work(5);
        database(billing, "postgresql", "invoices", "INSERT", "INSERT INTO invoices VALUES ($1, $2, $3)", 4);
      });
    });
  });
}

const checkout: Scenario = (trace, startMs, outbox) =>
  request(trace, startMs, "POST", "/checkout", (gateway) => {
    gateway.remote("checkout", "shop.Checkout/Place", { client: grpc("Checkout", "Place") }, (place) => {
      place
        .set({ "order.items": trace.random.integer(1, 9), "order.currency": trace.random.pick(["EUR", "USD", "CNY"]) })
        .work(1);
      place.remote("cart", "GET /cart", { client: route("GET", "/cart") }, (cart) => {
        cart.work(0.8);
        database(cart, "redis", "carts", "HGETALL", "HGETALL cart:?", 0.5);
      });
      reserveStock(place);
      const payment = charge(place);
      if (payment.failed) {
        place.fail("payment failed");
        gateway.fail("checkout failed");
        return;
      }
      database(place, "postgresql", "orders", "INSERT", "INSERT INTO orders VALUES ($1, $2, $3, $4)", 5);
      publishOrder(place, outbox);
    });
  });

/** Mails go out in batches: one span that links to the producers of all the orders it handles. */
export function mailBatch(trace: TraceBuilder, startMs: number, orders: Outbox): void {
  trace.root("notification", "process orders", SpanKind.CONSUMER, startMs, (batch) => {
    batch.set({
      "messaging.system": "kafka",
      "messaging.destination.name": "orders",
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": "notification",
      "messaging.batch.message_count": orders.length,
    });
    for (const order of orders) {
      batch.link(order, { "messaging.kafka.offset": trace.random.integer(1, 1_000_000) });
      batch.inner("send mail", SpanKind.CLIENT, (mail) => {
        mail.set({ "server.address": "smtp.mail.example", "server.port": 587 }).work(18);
        if (trace.random.chance(0.03)) mail.fail("Connection unexpectedly closed", STACK_TRACES.python);
      });
    }
  });
}

/** How often each happens, in parts of the whole. */
export const SCENARIOS: readonly (readonly [weight: number, scenario: Scenario])[] = [
  [30, browse],
  [28, productPage],
  [10, orderHistory],
  [12, cartUpdate],
  [20, checkout],
];
