// Browser: a Chromium, and pages of it that notice whatever a page of ours must not do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const modules = createRequire(path.join(process.env.BROWSER_MODULES, "/"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 400, height: 800 };

/** A program that runs, and the lines that it prints. */
export function run(program, ...args) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const seen = [];
  const waiting = [];
  const take = line => {
    seen.push(line);
    for (const wait of [...waiting]) wait();
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", take);
  /** The first match of a line with `pattern`. */
  const line = async (pattern, seconds = 60) => {
    const found = () => seen.map(text => text.match(pattern)).find(Boolean);
    const late = AbortSignal.timeout(seconds * 1000);
    while (!found()) {
      if (late.aborted || child.exitCode !== null) throw new Error(`no line like ${pattern}:\n${seen.join("\n")}`);
      await new Promise(resolve => {
        waiting.push(resolve);
        setTimeout(resolve, 200);
      });
    }
    return found();
  };
  const stop = async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { line, stop, say: text => child.stdin.write(`${text}\n`), forget: () => { seen.length = 0; } };
}

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
}

/** Opens a page, and after `look` checks that it asked nobody else and broke no rule of its policy. */
export async function visit(browser, url, options, look) {
  const { colorScheme = "light", viewport = WIDE, scripts = true } = options;
  const context = await browser.newContext({
    colorScheme, viewport, javaScriptEnabled: scripts, reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  const { origin } = new URL(url);
  page.on("request", request => {
    const asked = new URL(request.url());
    if (asked.protocol !== "data:" && asked.origin !== origin) wrong.push(`asked ${asked}`);
  });
  page.on("pageerror", error => wrong.push(`error: ${error.message}`));
  page.on("console", message => {
    // That a server which a test stopped does not answer is no fault of the page.
    if (message.type() === "error" && !message.text().includes("ERR_CONNECTION_REFUSED")) wrong.push(message.text());
  });
  if (scripts) {
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", event => {
      console.error(`the policy forbids ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    }));
  }
  const reply = await page.goto(url);
  const policy = reply.headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; script-src 'sha256-/);
  assert.doesNotMatch(policy, /unsafe/);
  try {
    await look(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(wrong, []);
}

/** Asks the page for an update, as it asks when somebody comes back to it. */
export const update = page => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

/** Fails if the rules of axe find something. */
export async function isAccessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document));
  const told = violations.map(({ id, help, nodes }) =>
    `${id}: ${help}\n${nodes.slice(0, 5).map(node => `  ${node.html.slice(0, 200)}\n  ${node.failureSummary}`).join("\n")}`);
  assert.equal(told.join("\n"), "");
  assert.ok(passes.length > 20, `only ${passes.length} rules had something to look at`);
}

/** Fails if a part of the page is wider than the screen, or if one element has more than `most` empty pixels. */
export async function fitsTheScreen(page) {
  const wide = await page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    const sees = element => element.checkVisibility() && getComputedStyle(element).clipPath === "none"
      && !element.closest("thead, .vh");
    const beyond = [...document.body.querySelectorAll("*")].filter(element => {
      const box = element.getBoundingClientRect();
      return sees(element) && box.width > 0 && (box.right > limit + 1 || box.left < -1);
    });
    return [limit, document.documentElement.scrollWidth, ...beyond.slice(0, 5).map(element => element.outerHTML.slice(0, 150))];
  });
  const [limit, scroll, ...beyond] = wide;
  assert.deepEqual(beyond, []);
  assert.ok(scroll <= limit, `${scroll} > ${limit}`);
}

/** The longest band of pixels, from top to bottom, in which nothing is written within `selector`. */
export const blankBand = (page, selector) => page.evaluate(selector => {
  const area = document.querySelector(selector).getBoundingClientRect();
  const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
  const lines = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.nodeValue.trim() || !node.parentElement.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 2) lines.push([box.top, box.bottom]);
  }
  lines.sort((a, b) => a[0] - b[0]);
  let [end, longest] = [area.top, 0];
  for (const [top, bottom] of [...lines, [area.bottom, area.bottom]]) {
    longest = Math.max(longest, top - end);
    end = Math.max(end, bottom);
  }
  return longest;
}, selector);

/** A picture of the page as far as it reaches, for people. */
export async function picture(page, name, fullPage = true) {
  await page.screenshot({ path: path.join(process.env.BROWSER_SCREENSHOTS, `${name}.png`), fullPage, animations: "disabled" });
}

/** Milliseconds that `act` spent in scripts, in layout and style, and in all tasks, as Chromium counts them. */
export async function cost(page, act) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const read = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value * 1000]));
  };
  const before = await read();
  await act();
  const after = await read();
  await session.detach();
  const spent = name => Math.round(10 * (after[name] - before[name])) / 10;
  return { script: spent("ScriptDuration"), layout: spent("LayoutDuration") + spent("RecalcStyleDuration"), tasks: spent("TaskDuration") };
}

/** Milliseconds from the beginning of the navigation until something was painted. */
export async function firstPaint(page) {
  const paint = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  return Math.round(await paint.jsonValue());
}

/** The address as the page has it now. */
export const address = page => page.evaluate(() => location.href);

export const shownRows = page => page.locator(".row:visible").count();
