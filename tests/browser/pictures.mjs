// Pictures: what the documents show of the pages and the terminal, taken from the running programs.
//
//   pictures.mjs FOLDER

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

import { launch, run } from "./browser.mjs";

const { AnsiUp } = await import(createRequire(path.join(process.env.BROWSER_MODULES, "/")).resolve("ansi_up"));
const [, , folder] = process.argv;
const { PROBER, PAGES } = process.env;

const demo = run(PROBER, "demo", "--output", "short", "--listen", "127.0.0.1:0");
const pages = run(PAGES);
const browser = await launch();
const looks = { viewport: { width: 1200, height: 760 }, deviceScaleFactor: 1.25 };
const page = await browser.newPage(looks);
const save = (name, of = page) => of.screenshot({ path: path.join(folder, `${name}.png`), animations: "disabled" });

try {
  const [, agent] = await demo.line(/^ *page +(http:.*)$/, 120);
  // Three rounds until everything is seen that takes some.
  await new Promise(resolve => setTimeout(resolve, 25_000));
  await page.goto(agent);
  await save("agent");
  await page.goto(`${agent}?open=public-fallback&q=public-fallback`);
  await save("target");

  const [, observer] = await pages.line(/^observer (http:.*)$/);
  pages.say("break");
  await pages.line(/^done break$/);
  await page.goto(observer);
  await save("fleet");
  await page.locator("#targets").evaluate(table => table.scrollIntoView());
  await save("matrix");

  await terminal("report", execFileSync(PAGES, ["report"], { encoding: "utf8" }), 45);
} finally {
  await browser.close();
  await demo.stop();
  await pages.stop();
}

/** A picture of the first lines of a text with the colours of a terminal. */
async function terminal(name, text, lines) {
  const colours = new AnsiUp();
  // Bright ones, as terminals with a dark background have them.
  colours.ansi_colors[0] = colours.ansi_colors[1];
  const html = colours.ansi_to_html(text.split("\n").slice(0, lines).join("\n"));
  const page = await browser.newPage(looks);
  await page.setContent(`<pre style="display: inline-block; width: 100ch; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: 16px 20px; font: 13px/1.4 'DejaVu Sans Mono', monospace;
    background: #14171a; color: #e4e6e8; border-radius: 6px">${html}</pre>`);
  await save(name, page.locator("pre"));
}
