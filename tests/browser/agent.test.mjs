// The agent's page: the real agent, which runs against the lab of `demo`, and an agent with 500 targets.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { NARROW, WIDE, address, blankBand, cost, firstPaint, fitsTheScreen, isAccessible, launch, picture, run, shownRows, update, visit } from "./browser.mjs";

let browser, demo, url, configuration, pages, large;

before(async () => {
  demo = run(process.env.PROBER, "demo", "--output", "short", "--listen", "127.0.0.1:0");
  pages = run(process.env.PAGES);
  browser = await launch();
  [, large] = await pages.line(/^agent (http:.*)$/);
  [, url] = await demo.line(/^ *page +(http:.*)$/, 120);
  [, configuration] = await demo.line(/^ *configuration +(\S+)/);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
  await pages?.stop();
});

test("the first screen says how many targets fail, since when, why, and what to do", () =>
  visit(browser, url, {}, async page => {
    assert.match(await page.title(), /^\d+ fail · demo · /);
    assert.match(await page.locator("h1").innerText(), /^\d+ of 32 targets fail$/);
    assert.match(await page.locator("header").innerText(), /node demo[^]*The first began before its first probe, \d+ s ago, the latest \d+ s ago\./);
    const rows = page.locator(".row");
    assert.equal(await rows.count(), 32);
    // The name of each target of the demo ends with the reason of its verdict.
    for (const row of await rows.all()) {
      const { name, reasons, outcome } = await row.evaluate(row => ({ ...row.dataset }));
      const expected = name.replaceAll("-", "_");
      if (outcome === "pass") assert.match(name, /ok/);
      else assert.ok(expected.endsWith(reasons.split(" ")[0]), `${name}: ${reasons}`);
    }
    const first = page.locator(".row").first();
    assert.match(await first.innerText(), /✗ fail[^]*dns_timeout [^]*Make UDP and TCP port 53/);
    await picture(page, "agent-wide-light", false);
  }));

test("an open target shows its path with the broken stage marked, and what was seen at each", () =>
  visit(browser, url, {}, async page => {
    await page.getByRole("link", { name: "public-fallback", exact: true }).click();
    const row = page.locator("#t-public-fallback");
    const stages = row.locator(".path > li");
    await stages.first().waitFor();
    const said = await stages.allInnerTexts();
    assert.deepEqual(said.map(text => text.split("\n")[0].replace(/\s+/g, " ")), [
      "Name ✓ ok", "Alias ! the cause", "Address ✗ broken", "Connect ✓ ok", "TLS ✓ ok", "Service – not asked",
    ]);
    assert.match(said[0], /cosmos-prod\.documents\.azure\.com/);
    assert.match(said[1], /answered by the public side/);
    assert.match(said[2], /127\.0\.2\.19 ✗ public[^]*expected: a private address/);
    assert.match(said[4], /certificate for \*\.documents\.azure\.com/);
    // The colour of a failure, beside the sign.
    const colour = part => part.evaluate(element => getComputedStyle(element).color);
    assert.equal(await colour(row.locator(".path .class.fail")), await colour(row.locator(".state.fail").first()));
    await row.locator(".runbook summary").click();
    assert.match(await row.locator(".runbook").innerText(), /Not to be confused with\./);
    assert.match(await row.innerText(), /Last changes[^]*public_fallback/);
  }));

test("each command is copied by its button", () =>
  visit(browser, `${url}?open=public-fallback`, {}, async page => {
    const command = page.locator(".findings .command").first();
    const text = await command.locator("code").innerText();
    await command.getByRole("button", { name: "Copy" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    assert.equal(await command.getByRole("button").innerText(), "Copied");
  }));

test("a link to a target opens it, and one to a target that is gone says so", async () => {
  await visit(browser, `${url}?open=tls-name-mismatch#t-tls-name-mismatch`, {}, async page => {
    const row = page.locator("#t-tls-name-mismatch");
    await row.locator(".path").waitFor();
    const { y } = await row.boundingBox();
    assert.ok(y >= 0 && y < WIDE.height / 2, `${y}`);
  });
  await visit(browser, `${url}?open=tls-name-mismatc`, {}, async page => {
    assert.match(await page.locator("main").innerText(), /No target is called tls-name-mismatc\. Perhaps: tls-name-mismatch/);
  });
});

test("a filter hides rows at once, and its link shows the same to others, with scripts and without", async () => {
  const queries = [];
  await visit(browser, url, {}, async page => {
    const search = page.getByLabel("Text");
    await search.fill("database.windows.net");
    assert.equal(await shownRows(page), 2);
    assert.equal(await page.locator("#shown").innerText(), "2 of 32 shown");
    queries.push([await address(page), 2]);
    await search.fill("no such text");
    await page.getByText("No target is as the filter asks.").waitFor();
    await page.getByRole("link", { name: "Show all" }).click();
    assert.equal(await shownRows(page), 32);
    await page.getByLabel("Outcome").selectOption("warn");
    const warnings = await shownRows(page);
    assert.ok(warnings > 0 && warnings < 5);
    queries.push([await address(page), warnings]);
    await page.getByLabel("Outcome").selectOption("");
    await page.getByLabel("Reason").selectOption("connect_refused");
    queries.push([await address(page), await shownRows(page)]);
    // The browser's own button leads back.
    await page.locator(".counts a", { hasText: "pass" }).click();
    await page.goBack({ waitUntil: "commit" });
    assert.equal(await address(page), queries.at(-1)[0]);
  });
  for (const [shared, rows] of queries) {
    for (const scripts of [true, false]) {
      await visit(browser, shared, { scripts }, async page => assert.equal(await shownRows(page), rows, shared));
    }
  }
});

test("without scripts the page is whole, updates itself, opens targets and filters", () =>
  visit(browser, url, { scripts: false }, async page => {
    assert.equal(await shownRows(page), 32);
    assert.match(await page.content(), /<noscript><meta http-equiv="refresh" content="10"/);
    await page.locator("#t-connect-refused a").first().click();
    await page.locator("#t-connect-refused .path").waitFor();
    assert.equal(await page.locator("#t-connect-refused .path > li").count(), 6);
    await page.locator("#filter input[name=q]").fill("redis");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.waitForURL(/q=redis/, { waitUntil: "load" });
    assert.equal(await shownRows(page), 1);
    await picture(page, "agent-without-scripts", false);
  }));

test("a target that breaks is shown without a reload, and selection, scroll position and open row stay", () =>
  visit(browser, `${url}?open=storage-blob-ok`, {}, async page => {
    const row = page.locator("#t-key-vault-ok");
    assert.equal(await row.getAttribute("data-outcome"), "pass");
    const kept = page.locator("#t-storage-blob-ok");
    await kept.locator("details, h3").first().waitFor();
    const top = () => kept.evaluate(element => Math.round(element.getBoundingClientRect().top));
    await page.evaluate(() => {
      globalThis.isTheSamePage = true;
      const name = document.querySelector("#t-storage-blob-ok th a");
      name.focus();
      getSelection().selectAllChildren(name);
    });
    await page.evaluate(() => document.querySelector("#t-storage-blob-ok").scrollIntoView());
    const before = await top();
    // The vault's address is no longer one of those that are expected.
    const config = JSON.parse(readFileSync(configuration, "utf8"));
    const target = config.targets.find(({ name }) => name === "key-vault-ok");
    target.expectedCidrs = ["127.0.3.0/24"];
    writeFileSync(configuration, JSON.stringify(config));
    // By the page's own clock.
    await page.locator("#t-key-vault-ok[data-outcome=fail]").waitFor({ timeout: 60_000, state: "attached" });
    assert.equal(await page.evaluate(() => globalThis.isTheSamePage), true);
    assert.equal(await page.evaluate(() => getSelection().toString()), "storage-blob-ok");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "storage-blob-ok");
    assert.equal(await kept.locator(".path").count(), 1);
    assert.ok(Math.abs(await top() - before) <= 2, `${before} became ${await top()}`);
    assert.match(await page.locator("#news").innerText(), /UTC\s+key-vault-ok: fail/);
    assert.equal(await page.locator("#news").getAttribute("role"), "status");
    assert.equal(await row.locator("code.reason").innerText(), "unexpected_private_address");
    await picture(page, "agent-after-a-change", false);
  }));

test("with the keyboard alone a target is found and opened, and the focus is seen", () =>
  visit(browser, url, {}, async page => {
    await page.locator("#t-connect-refused a").first().focus();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    const outline = () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(await outline(), "solid");
    await page.keyboard.press("Enter");
    await page.locator("#t-connect-refused .path").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-expanded")), "true");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "connect-refused");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "JSON");
  }));

test("the page is accessible by the rules of axe, in light and dark, wide and on a phone", async () => {
  for (const [name, path, options, is_checked] of [
    ["agent-wide-dark", "", { colorScheme: "dark" }],
    ["agent-narrow-light", "", { viewport: NARROW }],
    ["agent-open-wide-light", "?open=public-fallback", {}, true],
    ["agent-open-wide-dark", "?open=tls-name-mismatch", { colorScheme: "dark" }],
    ["agent-open-narrow-light", "?open=public-fallback", { viewport: NARROW }],
    ["agent-open-narrow-dark", "?open=partially-reachable", { viewport: NARROW, colorScheme: "dark" }, true],
  ]) {
    await visit(browser, url + path, options, async page => {
      if (is_checked) await isAccessible(page);
      await picture(page, name);
    });
  }
});

test("a phone of 400 pixels shows everything, one below another, without blank bands", async () => {
  for (const target of ["public-fallback", "tls-name-mismatch", "partially-reachable", "dns-timeout"]) {
    await visit(browser, `${url}?open=${target}`, { viewport: NARROW }, async page => {
      await fitsTheScreen(page);
      assert.ok(await blankBand(page, `#t-${target}`) < 60, target);
      // As much as on a wide screen.
      const said = await page.locator(`#t-${target} .more`).innerText();
      await page.setViewportSize(WIDE);
      const wide = await page.locator(`#t-${target} .more`).innerText();
      const words = text => text.split(/\s+/).filter(Boolean).sort().join(" ");
      const inTables = text => words(text).length;
      assert.ok(inTables(said) >= 0.95 * inTables(wide), target);
    });
  }
});

test("500 targets are painted and filtered with less than 200 ms of scripting", async () => {
  await visit(browser, large, {}, async page => {
    const loading = await cost(page, () => page.reload());
    const paint = await firstPaint(page);
    const filtering = await cost(page, async () => {
      await page.getByLabel("Text").fill("connect_timeout");
      await page.waitForFunction(() => document.querySelector("#shown").textContent.startsWith("12 "));
    });
    await page.evaluate(() => { document.querySelector("#fresh").textContent = ""; });
    const updating = await cost(page, async () => {
      await update(page);
      await page.locator("#fresh", { hasText: "Updated at" }).waitFor();
    });
    console.log("500 targets:", JSON.stringify({ paint, loading, filtering, updating }));
    for (const { script } of [loading, filtering, updating]) assert.ok(script < 200, `${script}`);
    await page.getByRole("link", { name: "Show all" }).click();
    assert.match(await page.locator(".causes").innerText(), /13 targets: /);
    await page.getByLabel("Owner").selectOption("payments");
    assert.equal(await page.locator("#shown").innerText(), "167 of 500 shown");
    await picture(page, "agent-500-targets", false);
  });
});

test("when the agent does not answer any more, the page says that it is not up to date", () =>
  visit(browser, url, {}, async page => {
    await demo.stop();
    await page.clock.setFixedTime(Date.now() + 60_000);
    await update(page);
    await page.locator("#fresh", { hasText: "Not updated since" }).waitFor();
    assert.equal(await shownRows(page), 32);
  }));
