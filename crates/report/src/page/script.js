// The script of all pages, which are whole without it. It brings in what changed without loading the page again,
// filters at once, and copies commands. Filters and the open target are in the URL, which the server knows too.
"use strict";
{
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fields = ["q", "outcome", "reason", "owner"];
  const every = document.body.dataset.every * 1000;
  const deadline = 8000;
  let latest = Date.now();
  let running = null;

  const asked = () => new URLSearchParams(location.search);

  // Hides the rows that the URL does not ask for, by the same rules as the server.
  const filter = root => {
    const url = asked();
    const words = (url.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const is = (key, value) => !url.get(key) || url.get(key) === value;
    const rows = all(".row", root);
    let shown = 0;
    for (const row of rows) {
      const { outcome, reasons, owner } = row.dataset;
      const text = words.length && row.rows[0].textContent.toLowerCase();
      row.hidden = !(is("outcome", outcome) && is("owner", owner) && words.every(word => text.includes(word))
        && (!url.get("reason") || reasons.split(" ").includes(url.get("reason"))));
      shown += !row.hidden;
    }
    const none = find("#none", root);
    if (none) none.hidden = shown > 0;
    return rows.length ? `${shown} of ${rows.length} shown` : "";
  };

  // A button for each command of a document.
  const addButtons = root => {
    for (const command of all("pre.command", root)) {
      const button = root.createElement("button");
      button.className = "copy";
      button.type = "button";
      button.textContent = "Copy";
      command.append(button);
    }
  };

  const say = text => { find("#news").textContent = text; };

  // Makes `old` like `next`, and keeps every node that is the same: so a selection, the focus and what was
  // unfolded stay. Nodes with an id are moved; those of the script are left alone.
  const own = node => node.nodeType === 1 && "own" in node.dataset;
  const move = (parent, node, before) => parent.moveBefore && node.isConnected
    ? parent.moveBefore(node, before) : parent.insertBefore(node, before);
  const become = (old, next) => {
    const is_kept = name => name === "open" && old.nodeName === "DETAILS" || name === "value" && old.nodeName === "INPUT";
    for (const { name, value } of next.attributes)
      if (!is_kept(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes])
      if (!is_kept(name) && !next.hasAttribute(name)) old.removeAttribute(name);
    const chosen = old.nodeName === "SELECT" && old.value;
    const named = new Map([...old.children].filter(node => node.id).map(node => [node.id, node]));
    const wanted = new Set([...next.children].map(node => node.id));
    for (const [id, node] of named) if (!wanted.has(id)) node.remove();
    let at = old.firstChild;
    for (const want of [...next.childNodes]) {
      let node = want.id ? named.get(want.id) : at && !at.id && at.nodeName === want.nodeName ? at : null;
      if (!node) {
        old.insertBefore(want, at);
        continue;
      }
      // What stands in between belongs further down.
      if (node !== at && at && at.nextSibling === node) {
        move(old, at, null);
        at = node;
      }
      if (node === at) at = at.nextSibling;
      else move(old, node, at);
      if (own(node) || node.isEqualNode(want)) continue;
      if (node.nodeType === 1) become(node, want);
      else node.nodeValue = want.nodeValue;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    if (chosen !== false) old.value = chosen;
  };

  const outcomes = () => new Map(all(".row").map(row => [row.id, row.dataset.outcome]));

  // Says which rows have another outcome than before, and marks them until the next update.
  const tell = before => {
    const changed = all(".row").filter(row => before.has(row.id) && before.get(row.id) !== row.dataset.outcome);
    for (const row of changed) row.classList.add("changed");
    const told = changed.slice(0, 3).map(row => `${row.dataset.name}: ${row.dataset.outcome}`);
    if (changed.length > 3) told.push(`${changed.length - 3} more changes`);
    if (told.length) say(`${new Date().toISOString().slice(11, 19)} UTC  ${told.join("; ")}`);
  };

  const show = html => {
    const next = new DOMParser().parseFromString(html, "text/html");
    if (!next.body.dataset.version) throw new Error("no page");
    // Another version of the program has another script.
    if (next.body.dataset.version !== document.body.dataset.version) return location.reload();
    addButtons(next);
    filter(next);
    const before = outcomes();
    const focused = document.activeElement;
    // What is looked at stays where it is: the open row or the first that can be seen, unless it goes elsewhere.
    const stays = row => row.getBoundingClientRect().bottom > 0
      && next.getElementById(row.id)?.dataset.outcome === row.dataset.outcome;
    const anchor = scrollY > 0 && [...all(".row.open"), ...all(".row")].find(stays);
    const top = anchor && anchor.getBoundingClientRect().top;
    document.title = next.title;
    find("link[rel=icon]").href = find("link[rel=icon]", next).href;
    become(document.body, next.body);
    find("#shown") && (find("#shown").textContent = filter(document));
    tell(before);
    if (anchor && anchor.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top);
    if (focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  };

  const freshness = () => {
    const is_stale = Date.now() - latest > 2.5 * every;
    document.body.classList.toggle("stale", is_stale);
    const time = new Date(latest).toISOString().slice(11, 19);
    find("#fresh").textContent = is_stale ? `✗ Not updated since ${time} UTC: no answer.` : `Updated at ${time} UTC.`;
  };

  const update = async () => {
    running?.abort();
    const this_one = running = new AbortController();
    const late = setTimeout(() => this_one.abort(), deadline);
    try {
      const reply = await fetch(location.search || "?", { signal: this_one.signal, cache: "no-store" });
      if (!reply.ok) throw new Error(reply.status);
      const html = await reply.text();
      if (running !== this_one) return;
      show(html);
      latest = Date.now();
    } catch {
      // Said by how fresh the page is.
    } finally {
      clearTimeout(late);
      if (running === this_one) running = null;
      freshness();
    }
  };

  // The form as the URL asks, and the rows.
  const follow = () => {
    const url = asked();
    for (const name of fields) {
      const field = find(`#filter [name=${name}]`);
      if (field && field !== document.activeElement) field.value = url.get(name) || "";
    }
    const shown = find("#shown");
    if (shown) shown.textContent = filter(document);
  };

  const go = (url, replace) => {
    history[replace ? "replaceState" : "pushState"](null, "", url);
    follow();
  };

  document.addEventListener("input", event => {
    const { form, name, value } = event.target;
    if (form?.id !== "filter") return;
    const url = new URL(location);
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
    url.hash = "";
    go(url, true);
  });
  document.addEventListener("submit", event => event.preventDefault());
  document.addEventListener("click", async event => {
    const link = event.target.closest("a[data-soft]");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      go(link.href);
      await update();
      const row = link.hash && document.getElementById(link.hash.slice(1));
      if (row && !row.contains(link)) row.scrollIntoView();
    }
    const button = event.target.closest(".copy");
    if (!button) return;
    const code = find("code", button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // Not over HTTP from another machine: there only a selection can be copied.
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    say("Copied.");
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  addEventListener("popstate", () => { follow(); update(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
  setInterval(() => document.hidden || running || update(), every);

  document.documentElement.classList.add("js");
  addButtons(document);
  follow();
  if (!location.hash) find(".row.open")?.scrollIntoView();
}
