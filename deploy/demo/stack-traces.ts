/** What exceptions of the shop's languages look like. */
export const STACK_TRACES = {
  java: {
    type: "java.lang.NullPointerException",
    stacktrace: [
      'java.lang.NullPointerException: Cannot invoke "shop.catalog.Price.amount()" because "price" is null',
      "\tat shop.catalog.PriceFormatter.format(PriceFormatter.java:42)",
      "\tat shop.catalog.ProductAssembler.assemble(ProductAssembler.java:118)",
      "\tat shop.catalog.ProductController.product(ProductController.java:57)",
      "\tat org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)",
      "\tat java.base/java.lang.Thread.run(Thread.java:1583)",
    ].join("\n"),
  },
  node: {
    type: "BankUnavailableError",
    stacktrace: [
      "BankUnavailableError: 503 from the bank",
      "    at BankClient.charge (/app/src/bank/client.js:88:13)",
      "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)",
      "    at async PaymentService.charge (/app/src/payment.js:41:18)",
      "    at async /app/src/routes/charge.js:23:7",
    ].join("\n"),
  },
  python: {
    type: "smtplib.SMTPServerDisconnected",
    stacktrace: [
      "Traceback (most recent call last):",
      '  File "/app/notification/worker.py", line 61, in handle',
      "    mailer.send(order)",
      '  File "/app/notification/mailer.py", line 27, in send',
      "    self.smtp.sendmail(SENDER, order.email, body)",
      "smtplib.SMTPServerDisconnected: Connection unexpectedly closed",
    ].join("\n"),
  },
} as const;
