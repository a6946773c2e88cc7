// The observer's page: 500 nodes of 50 targets, which are made up.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { NARROW, address, blankBand, cost, firstPaint, fitsTheScreen, isAccessible, launch, picture, run, shownRows, update, visit } from "./browser.mjs";

let browser, pages, url;

before(async () => {
  pages = run(process.env.PAGES);
  browser = await launch();
  [, url] = await pages.line(/^observer (http:.*)$/);
});

after(async () => {
  await browser?.close();
  await pages?.stop();
});

async function become(state) {
  pages.forget();
  pages.say(state);
  await pages.line(new RegExp(`^done ${state}$`));
}

test("a fleet that breaks is shown without a reload, with what the failing nodes have in common first", () =>
  visit(browser, url, {}, async page => {
    assert.equal(await page.locator("h1").innerText(), "501 nodes, none fails");
    assert.equal(await shownRows(page), 50);
    await page.evaluate(() => { globalThis.isTheSamePage = true; });
    await picture(page, "fleet-healthy-wide-light", false);
    await become("break");
    await update(page);
    await page.locator("h1", { hasText: "500 of 501 nodes fail" }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.isTheSamePage), true);
    assert.match(await page.locator("#news").innerText(), /: fail; .*more changes/);
    const main = await page.locator("main").innerText();
    // Patterns, then the gate, then the matrix.
    const order = ["pool batch", "Public access must stay on", "Targets on nodes", "Nodes that agree"].map(part => main.indexOf(part));
    assert.ok(order[0] > 0 && order.every((at, index) => index === 0 || at > order[index - 1]), `${order}\n${main.slice(0, 3000)}`);
    assert.match(main, /Hurts\s+\d+ workloads in \d+ namespaces/);
    await picture(page, "fleet-wide-light", false);
    await picture(page, "fleet-wide-light-whole");
  }));

test("the matrix has a column for each pool, and says on how many nodes of it a target fails, and why", () =>
  visit(browser, url, {}, async page => {
    const heads = await page.locator(".matrix thead th").allInnerTexts();
    assert.deepEqual(heads.map(head => head.split("\n")[0]), ["Target", "apps", "batch", "gpu", "ingress", "system"]);
    const cells = await page.locator("[id='t-key-vault-000.vault.azure.net'] td").allInnerTexts();
    assert.match(cells[1], /✗ 100 of 100\s+public_fallback/);
    assert.match(cells[0], /✓\s+pass on\s+100/);
    assert.match(cells[3], /✗ 1 of 100\s+dns_timeout/);
    await page.getByRole("link", { name: "zone", exact: true }).click();
    await page.locator(".matrix thead th", { hasText: "westeurope-3" }).waitFor();
    assert.match(await address(page), /by=zone/);
    await page.getByRole("link", { name: "agreement", exact: true }).click();
    await page.locator(".matrix thead th", { hasText: /^A/ }).waitFor();
  }));

test("a link to a target shows where it fails, since when, whom it hurts, and the runbook", () =>
  visit(browser, `${url}?open=sql-database-002.database.windows.net`, {}, async page => {
    const row = page.locator("[id='t-sql-database-002.database.windows.net'] .more");
    const said = await row.innerText();
    assert.match(said, /Hurts 3 workloads in 3 namespaces \(Deployment shop\/api\)/);
    assert.match(said, /connect_timeout[^]*499 nodes: aks-[^]*and 479 more/);
    assert.match(said, /kubectl privatelink report --target sql-database-002\.database\.windows\.net/);
    await row.locator(".runbook summary").click();
    assert.match(await row.locator(".runbook").innerText(), /Confirm\./);
    // An open row makes no column wider.
    assert.deepEqual(await page.locator(".scroll").evaluate(area => area.scrollWidth - area.clientWidth), 0);
    await isAccessible(page);
    await picture(page, "fleet-open-wide-light");
  }));

test("a filter by text, outcome, reason and owner is in the link, with scripts and without", async () => {
  const queries = [];
  await visit(browser, url, {}, async page => {
    await page.getByLabel("Outcome").selectOption("warn");
    assert.equal(await shownRows(page), 0);
    await page.getByLabel("Outcome").selectOption("fail");
    assert.equal(await shownRows(page), 50);
    await page.getByLabel("Reason").selectOption("public_fallback");
    queries.push([await address(page), 10]);
    assert.equal(await shownRows(page), 10);
    await page.getByLabel("Owner").selectOption("shop");
    queries.push([await address(page), 3]);
    await page.getByRole("link", { name: "Show all" }).click();
    await page.getByLabel("Text").fill("BUS-0 search");
    queries.push([await address(page), await shownRows(page)]);
  });
  for (const [shared, rows] of queries) {
    for (const scripts of [true, false]) {
      await visit(browser, shared, { scripts }, async page => assert.equal(await shownRows(page), rows, shared));
    }
  }
});

test("500 nodes of 50 targets are painted and filtered with less than 200 ms of scripting", () =>
  visit(browser, url, {}, async page => {
    const loading = await cost(page, () => page.reload());
    const paint = await firstPaint(page);
    const filtering = await cost(page, async () => {
      await page.getByLabel("Text").fill("registry");
      await page.waitForFunction(() => document.querySelector("#shown").textContent.startsWith("10 "));
    });
    console.log("500 nodes of 50 targets:", JSON.stringify({ paint, loading, filtering }));
    assert.ok(loading.script < 200 && filtering.script < 200, JSON.stringify({ loading, filtering }));
  }));

test("the page is accessible by the rules of axe, and fits a phone of 400 pixels without blank bands", async () => {
  for (const [name, options] of [
    ["fleet-wide-dark", { colorScheme: "dark" }],
    ["fleet-narrow-light", { viewport: NARROW }],
    ["fleet-narrow-dark", { viewport: NARROW, colorScheme: "dark" }],
  ]) {
    await visit(browser, url, options, async page => {
      if (name === "fleet-narrow-dark") await isAccessible(page);
      await picture(page, name);
      if (options.viewport === NARROW) {
        await fitsTheScreen(page);
        assert.ok(await blankBand(page, "main") < 60);
      }
    });
  }
});
