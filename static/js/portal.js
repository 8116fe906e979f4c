// What the pages do in the browser. Everything here is an addition: without it the links and forms
// of every page still work. One file, because hashed file names are not written into imports.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const words = $('meta[name="bp-words"]')?.dataset ?? {};
const isTyping = (node) => Boolean(node?.closest?.("input, textarea, select, [contenteditable]"));

// ---------------------------------------------------------------- htmx
document.addEventListener("htmx:configRequest", (event) => {
  const token = $('meta[name="csrf-token"]')?.content;
  if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token;
});

// A pressed button says so at once and keeps its width; the state itself changes only by a reading.
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.detail.elt;
  if (form?.tagName !== "FORM" || form.method === "get") return;
  const button = event.detail.requestConfig?.triggeringEvent?.submitter ?? $('[type="submit"]', form);
  if (button) hold(button);
});
document.addEventListener("htmx:afterRequest", (event) => {
  for (const button of $$("[data-held]", event.detail.elt)) release(button);
});
document.addEventListener("submit", (event) => {
  // Plain forms: after the browser has collected the values.
  const { target: form, submitter } = event;
  if (form.method !== "post" || form.matches("[hx-post]") || !submitter) return;
  setTimeout(() => event.defaultPrevented || hold(submitter));
});
window.addEventListener("pageshow", () => $$("[data-held]").forEach(release));

const held = new WeakMap();

function hold(button) {
  if (held.has(button)) return;
  held.set(button, [...button.childNodes]);
  button.disabled = true;
  button.dataset.held = "";
  if (!button.hasAttribute("data-sends")) return;
  button.style.minWidth = `${button.offsetWidth}px`; // by script: the policy forbids it in HTML only
  button.replaceChildren(words.sending);
}

function release(button) {
  if (button.hasAttribute("data-sends")) button.replaceChildren(...(held.get(button) ?? []));
  held.delete(button);
  button.disabled = false;
  delete button.dataset.held;
}

// The list tells itself that it could not be loaded, and stays.
const isListAsked = (event) => event.detail.elt?.id === "list-form" && Boolean($("#list-error"));
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => isListAsked(event) || toast(words.failed, true));
}
document.addEventListener("htmx:responseError", (event) => {
  if (!isListAsked(event)) toast(words.refused.replace("{code}", event.detail.xhr.status), true);
});

// An answer that says how it is swapped is shown, whatever its code: a form that somebody else was
// faster with, or whose object is gone.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.xhr.getResponseHeader("HX-Reswap")) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});

// A form that came back with errors: the focus goes to what is wrong.
document.addEventListener("htmx:afterSettle", (event) => {
  if (![404, 409, 422].includes(event.detail.xhr?.status)) return;
  const root = document.getElementById(event.detail.target?.id ?? "") ?? document;
  $("[data-errors], [aria-invalid='true']", root)?.focus();
});

// ---------------------------------------------------------------- ages
// The server's clock counts, not this one's.
const skew = Date.now() - (Date.parse(words.now ?? "") || Date.now());

function ageText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return words.s.replace("{n}", whole);
  if (whole < 3600) return words.min.replace("{n}", Math.floor(whole / 60));
  if (whole < 86400) return words.h.replace("{n}", Math.floor(whole / 3600));
  return words.d.replace("{n}", Math.floor(whole / 86400));
}

function tick(root = document) {
  const now = Date.now() - skew;
  for (const node of $$("time[data-late]", root)) {
    const seconds = (now - Date.parse(node.dateTime)) / 1000;
    const text = ageText(seconds);
    if (node.textContent !== text) node.textContent = text;
    const late = Number(node.dataset.late);
    node.classList.toggle("is-old", late > 0 && seconds > late);
  }
  for (const node of $$("time[data-countdown]", root)) {
    const left = Math.ceil((Date.parse(node.dateTime) - now) / 1000);
    const text = left > 0 ? node.dataset.countdown.replace("{n}", left) : node.dataset.over;
    if (node.textContent !== text) node.textContent = text;
  }
}
setInterval(tick, 1000);

// The clock time of a moment as the page writes times: in the reader's zone, not the browser's.
function clockText(moment) {
  return new Date(moment.getTime() + Number(words.zone ?? 0) * 60000).toISOString().slice(11, 19);
}

// ---------------------------------------------------------------- dialog
let opener = null;

function dialogOpen() {
  const dialog = $("#dialog dialog");
  if (!dialog || dialog.open) return;
  opener = document.activeElement;
  dialog.showModal();
  const field = $("[data-focus], [name='typed_name'], [aria-invalid='true']", dialog) ?? $(".bp-dlg-f [data-close]", dialog);
  field?.focus();
  dialog.addEventListener("close", dialogClosed, { once: true });
}

function dialogClosed() {
  const back = opener?.isConnected ? opener : document.getElementById(opener?.id ?? "");
  $("#dialog").replaceChildren();
  opener = null;
  (back ?? $("#main"))?.focus();
}

// The dialog is replaced while open when a form comes back with errors: keep the first opener.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id === "dialog" && $("#dialog dialog")?.open) {
    const first = opener;
    setTimeout(() => (opener = first ?? opener));
  }
});
document.addEventListener("click", (event) => {
  const close = event.target.closest?.("[data-close]");
  if (close) return close.closest("dialog")?.close();
  if (event.target.matches?.("dialog[open]")) event.target.close(); // the backdrop
  for (const menu of $$("details.bp-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  return undefined;
});

// ---------------------------------------------------------------- power orders
// Enter never confirms what interrupts a server, and its button waits for the right name.
document.addEventListener("keydown", (event) => {
  const inside = event.target.closest?.("form[data-no-enter]");
  if (event.key === "Enter" && inside && event.target.matches("input")) event.preventDefault();
});

function nameWatch(root = document) {
  for (const field of $$("input[data-must-be][required]", root)) {
    const button = $("[data-sends]", field.form);
    if (button && !held.has(button)) button.disabled = field.value !== field.dataset.mustBe;
  }
}
document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-must-be]")) nameWatch(event.target.form);
});

// ---------------------------------------------------------------- toasts
function toast(text, stays = false) {
  const box = document.createElement("div");
  box.className = stays ? "bp-toast is-crit" : "bp-toast";
  if (stays) box.dataset.stays = "";
  const line = document.createElement("span");
  line.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "bp-x";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", words.close);
  close.textContent = "×";
  box.append(line, close);
  $("#toasts")?.append(box);
  toastsWatch();
}

function toastsWatch() {
  for (const box of $$("#toasts .bp-toast:not([data-seen])")) {
    box.dataset.seen = "";
    if (box.dataset.stays !== undefined) continue;
    const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
    setTimeout(leave, 6000);
  }
}
document.addEventListener("click", (event) => {
  event.target.closest?.("[data-dismiss]")?.closest(".bp-toast")?.remove();
});

// ---------------------------------------------------------------- live
const sign = $("#live-sign");
let socket = null;
let wait = 1000;
let lostAt = null;
let lastIds = "";
const SIGNED_OUT = 4401; // as in the consumer: trying again would not help

const liveIds = () => [...new Set($$("[data-live-server]").map((n) => Number(n.dataset.liveServer)))]
  .filter(Boolean).slice(0, 200);

function subscribe(always = false) {
  const ids = liveIds();
  if (ids.length && !socket) return connect();
  const table = $("table[data-columns]");
  const page = table ? "list" : $("[data-live-page]")?.dataset.livePage;
  const columns = table?.dataset.columns.split(",");
  const text = JSON.stringify({ subscribe: ids, page, columns });
  if (socket?.readyState !== WebSocket.OPEN || (!always && text === lastIds)) return undefined;
  lastIds = text;
  return socket.send(text);
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(`${scheme}//${location.host}/ws/live/`);
  socket = mine;
  let isHeard = false;
  mine.addEventListener("open", () => subscribe(true));
  mine.addEventListener("message", (event) => {
    if (!isHeard) heard(); // only an answer shows that the portal follows; an open socket does not
    isHeard = true;
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    for (const fresh of [...holder.content.children]) replace(fresh);
  });
  mine.addEventListener("close", (event) => {
    lostAt ??= new Date(Date.now() - skew);
    for (const after of [1100, 5100, 15100]) setTimeout(signDraw, after);
    if (event.code === SIGNED_OUT) return toast(words.signedout, true);
    setTimeout(connect, wait * (0.7 + Math.random() * 0.6));
    wait = Math.min(wait * 2, 30000);
    return undefined;
  });
}

// Without a network the browser may keep a dead socket open for minutes.
window.addEventListener("offline", () => socket?.close());

function heard() {
  wait = 1000;
  if (lostAt) pollOnce(); // what changed meanwhile
  lostAt = null;
  signDraw();
}

function signText() {
  const lost = lostAt ? Date.now() - skew - lostAt : 0;
  if (lost < 1000) return sign.dataset.live; // a blink is no news
  if (navigator.onLine === false) return sign.dataset.offline;
  if (lost < 5000) return sign.dataset.trying;
  return sign.dataset.late.replace("{time}", clockText(lostAt).slice(0, 5));
}

function signDraw() {
  if (!sign) return;
  const text = signText();
  sign.hidden = false;
  sign.classList.toggle("is-late", text !== sign.dataset.live);
  if (sign.textContent !== text) sign.textContent = text;
  barDraw();
}

// A short loss is said by the sign alone; a long one stands above the page.
function barDraw() {
  const bar = $("#live-bar");
  if (!bar) return;
  bar.hidden = !(lostAt && Date.now() - skew - lostAt >= 15000);
  const line = $("[data-text]", bar);
  if (lostAt) line.textContent = line.dataset.text.replace("{time}", clockText(lostAt));
}

// Replace the element with the same id. Focus stays on the same control, ticked boxes stay ticked,
// typed text is never touched, and the class the page gave the row stays.
function replace(fresh) {
  const old = fresh.id && document.getElementById(fresh.id);
  if (!old) return;
  if (bare(old) === bare(fresh)) return agesCopy(fresh, old);
  if ($(".htmx-request[hx-swap=none]", old)) {
    // The answer under way needs the button it was asked by.
    return document.addEventListener("htmx:afterRequest", () => replace(fresh), { once: true });
  }
  heightKeep(old, fresh);
  const active = document.activeElement;
  const inside = old.contains(active) ? active : null;
  if (inside?.matches("input:not([type=checkbox], [type=radio]), textarea, select")) return;
  const index = inside ? $$("a, button, input, summary", old).indexOf(inside) : -1;
  const before = old.textContent.replace(/\s+/g, " ");
  for (const box of $$("input[type=checkbox]", old)) {
    const twin = $$("input[type=checkbox]", fresh).find((n) => n.name === box.name && n.value === box.value);
    if (twin) twin.checked = box.checked;
  }
  for (const name of ["is-picked", "is-cursor"]) if (old.classList.contains(name)) fresh.classList.add(name);
  const ages = [old, fresh].map((n) => {
    const copy = n.cloneNode(true);
    $$("time", copy).forEach((t) => t.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  });
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
  tick(fresh);
  if (ages[0] !== ages[1] && before) {
    fresh.classList.add("is-changed");
    setTimeout(() => fresh.classList.remove("is-changed"), 1300);
  }
  if (index >= 0) $$("a, button, input, summary", fresh)[index]?.focus({ preventScroll: true });
}

// Rows keep their height while somebody points at the table or works in it: a reason that comes or
// goes waits, unseen, until they leave.
const isInUse = (table) => Boolean(table?.matches(":hover, :focus-within"));

function heightKeep(old, fresh) {
  if (!isInUse(old.closest("table"))) return;
  const was = $(".bp-whyrow", old);
  const is = $(".bp-whyrow", fresh);
  if (is && (!was || was.hidden)) is.hidden = true;
  if (is || !was || was.hidden) return;
  was.classList.add("is-blank");
  fresh.append(was);
}

function heightsSettle() {
  for (const row of $$(".bp-whyrow[hidden], .bp-whyrow.is-blank")) {
    if (isInUse(row.closest("table"))) continue;
    if (row.hidden) row.hidden = false;
    else row.remove();
  }
}
setInterval(heightsSettle, 1000);

// A part in which nothing but ages is new keeps its elements: what is under the pointer stays there.
function bare(node) {
  const copy = node.cloneNode(true);
  copy.classList.remove("is-picked", "is-cursor", "is-changed");
  if (!copy.classList.length) copy.removeAttribute("class");
  $$("time[data-late]", copy).forEach((time) => time.replaceWith("age"));
  $$("input[checked]", copy).forEach((box) => box.removeAttribute("checked"));
  return copy.outerHTML.replace(/\s+/g, " ");
}

function agesCopy(from, to) {
  const fresh = $$("time[data-late]", from);
  $$("time[data-late]", to).forEach((age, index) => {
    for (const name of ["datetime", "title"]) age.setAttribute(name, fresh[index].getAttribute(name));
  });
  tick(to);
}

// Without a socket: the same page is asked for, and what has an id in #live-region is replaced.
async function pollOnce() {
  const region = $("#live-region");
  const url = $("#main")?.dataset.livePoll || (region ? location.href : "");
  if (!url || document.hidden || $("dialog[open]")) return;
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const marked of $$("[data-live-server], [data-live-panel]")) {
      const id = marked.id || marked.closest("[id]")?.id;
      const fresh = id && page.getElementById(id);
      if (fresh) replace(document.importNode(fresh, true));
    }
  } catch {
    // The next try comes in 15 s; the sign already says that this page is not live.
  }
}
setInterval(() => {
  if (lostAt && Date.now() - skew - lostAt >= 5000) pollOnce();
}, 15000);

// ---------------------------------------------------------------- words separated by commas
// A list of known words completes the last one; the browser compares with the whole text.
document.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.matches?.("input[data-words][list]")) return;
  const list = document.getElementById(field.getAttribute("list"));
  const before = field.value.includes(",") ? field.value.replace(/,[^,]*$/, ", ") : "";
  for (const option of $$("option", list)) {
    option.dataset.word ??= option.value;
    option.value = before + option.dataset.word;
  }
});

// ---------------------------------------------------------------- the list: what is picked
// The selection lives on the server. Each change is sent with what it changes only, one after
// another; the answer is the bar with the true count.
let lastPicked = null; // the number of the server: its row may be another one by now
let sending = Promise.resolve();

const boxes = () => $$("input[name='ids'][form='selection-form']");
const selectionId = () => $("#selection-bar")?.dataset.selection ?? "";

function mark(box) {
  box.closest("tbody")?.classList.toggle("is-picked", box.checked);
}

function pickMany(list, isPicked) {
  const changed = list.filter((box) => box.checked !== isPicked);
  for (const box of changed) {
    box.checked = isPicked;
    mark(box);
  }
  if (changed.length) pickSend(isPicked ? "tick" : "untick", changed);
  pageBoxDraw();
}

function pickRange(to, isPicked) {
  const all = boxes();
  const from = all.find((box) => box.value === lastPicked) ?? to;
  const ends = [all.indexOf(from), all.indexOf(to)].sort((x, y) => x - y);
  pickMany(all.slice(ends[0], ends[1] + 1), isPicked);
}

function pickSend(act, changed = []) {
  sending = sending.then(async () => {
    const form = $("#selection-form");
    if (!form) return;
    const body = new FormData();
    body.set("act", act);
    body.set("selection", selectionId());
    body.set("query", form.elements.query.value);
    for (const box of changed) body.append("ids", box.value);
    const headers = { "HX-Request": "true", "X-CSRFToken": $('meta[name="csrf-token"]').content };
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers, credentials: "same-origin" });
      if (answer.redirected) return location.reload(); // signed out meanwhile
      if (!answer.ok && answer.status !== 422) throw new Error(String(answer.status));
      const html = await answer.text();
      await barFree();
      barReplace(html);
      if (answer.status === 422) pickUndo(changed);
      else if (act === "all" || act === "clear") boxesSet(act === "all");
    } catch {
      toast(words.failed, true);
      pickUndo(changed);
    }
  });
}

function pickUndo(changed) {
  const values = new Set(changed.map((box) => box.value)); // rows may have come anew meanwhile
  for (const box of boxes().filter((n) => values.has(n.value))) {
    box.checked = !box.checked;
    mark(box);
  }
  pageBoxDraw();
}

function boxesSet(isPicked) {
  for (const box of boxes()) {
    box.checked = isPicked;
    mark(box);
  }
  pageBoxDraw();
}

// An answer that is under way needs the button it was asked by: without it, its result is shown nowhere.
function barFree() {
  return new Promise((done) => {
    const look = () => {
      if (!$("#selection-bar .htmx-request")) return done();
      return document.addEventListener("htmx:afterRequest", look, { once: true });
    };
    look();
  });
}

function barReplace(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = $("#selection-bar", holder.content);
  const old = $("#selection-bar");
  if (!fresh || !old) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
  if (fresh.dataset.error) toast(fresh.dataset.error, true);
  if (focused !== null) (document.getElementById(focused) ?? $("button, a", fresh) ?? $("[data-pick-page]"))?.focus();
  selectionCarry();
}

// Links to other lists and pages of this one take the selection along.
function selectionCarry() {
  const form = $("#selection-form");
  if (!form) return;
  const id = selectionId();
  form.elements.selection.value = id;
  for (const field of $$("input[name='selection']")) {
    if (field.form === form) continue;
    field.value = id;
    field.disabled = !id;
  }
  for (const link of $$("#main a[href]")) {
    if (link.pathname !== location.pathname || link.origin !== location.origin) continue;
    const url = new URL(link.href);
    if ((url.searchParams.get("selection") ?? "") === id) continue;
    if (id) url.searchParams.set("selection", id);
    else url.searchParams.delete("selection");
    link.setAttribute("href", url.pathname + url.search);
  }
  const here = new URL(location.href);
  if ((here.searchParams.get("selection") ?? "") === id) return;
  if (id) here.searchParams.set("selection", id);
  else here.searchParams.delete("selection");
  history.replaceState(history.state, "", here);
}

function pageBoxDraw() {
  const box = $("[data-pick-page]");
  if (!box) return;
  const all = boxes();
  const count = all.filter((n) => n.checked).length;
  box.hidden = false;
  box.checked = count > 0 && count === all.length;
  box.indeterminate = count > 0 && count < all.length;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("input[type=checkbox]");
  if (!box) return;
  if (box.matches("[data-pick-page]")) return pickMany(boxes(), box.checked);
  if (box.name !== "ids" || box.getAttribute("form") !== "selection-form") return undefined;
  const isPicked = box.checked;
  box.checked = !isPicked; // as it was, so that the change is found below
  if (event.shiftKey) pickRange(box, isPicked);
  else pickMany([box], isPicked);
  lastPicked = box.value;
  // The browser puts back what it had before the click only when it is prevented; it is not.
  box.checked = isPicked;
  return undefined;
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "selection-form" || !event.submitter) return;
  event.preventDefault();
  event.stopPropagation();
  pickSend(event.submitter.value);
}, true);

// ---------------------------------------------------------------- the list: asking
// A form that only asks leaves out what is empty, so that its address stays short.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-lean]")) return;
  const empty = [...event.target.elements].filter((field) => field.name && !field.disabled && field.value === "");
  for (const field of empty) field.disabled = true;
  setTimeout(() => empty.forEach((field) => (field.disabled = false)), 1000);
});

let askedAt = new Date(Date.now() - skew);

function listErrorDraw(code) {
  const note = $("#list-error");
  if (!note) return;
  note.hidden = !code;
  const line = $("[data-text]", note);
  if (code) line.textContent = line.dataset.text.replace("{code}", code).replace("{time}", clockText(askedAt));
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (!isListAsked(event)) return;
  const status = event.detail.xhr?.status ?? 0;
  if (status === 200) askedAt = new Date(Date.now() - skew);
  listErrorDraw(status === 200 ? "" : status || "–");
});

// Counts of the whole list: rows come live, numbers every 20 s.
setInterval(async () => {
  const node = $("[data-refresh]");
  if (!node || document.hidden || $("dialog[open]")) return;
  try {
    const headers = { "HX-Request": "true", "HX-Target": node.id };
    const answer = await fetch(location.href, { headers, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const fresh = document.getElementById(node.id) === node && $(`#${node.id}`, holder.content);
    if (fresh && fresh.textContent !== node.textContent) replace(fresh);
  } catch {
    // The live sign tells when the portal is away.
  }
}, 20000);

// ---------------------------------------------------------------- keys
let cursor = -1;
let starAt = 0;

const keysAreOff = () => {
  try {
    return localStorage.getItem("bp-keys") === "off";
  } catch {
    return false;
  }
};

function rows() {
  return $$("table[data-rows] tbody, .bp-table tbody").filter((n) => $("a[href]", n));
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((n) => n.classList.contains("is-cursor"));
  cursor = Math.min(all.length - 1, Math.max(0, (at < 0 ? (step > 0 ? -1 : all.length) : at) + step));
  all.forEach((n, i) => n.classList.toggle("is-cursor", i === cursor));
  const link = $("a[href]", all[cursor]);
  link.focus({ preventScroll: true });
  all[cursor].scrollIntoView({ block: "nearest" });
}

function pickCursor(isRange) {
  const row = $(".is-cursor") ?? document.activeElement?.closest("tbody");
  const box = row && $("input[name='ids']", row);
  if (!box) return;
  if (isRange) pickRange(box, true);
  else pickMany([box], !box.checked);
  lastPicked = box.value;
}

// What is open is closed first; only then the selection goes.
function escape() {
  const menus = $$("details.bp-menu[open]");
  menus.forEach((menu) => (menu.open = false));
  if (!menus.length && selectionId() && !$("dialog[open]")) pickSend("clear");
}

const KEYS = {
  "/": (event) => {
    const query = $("[data-query], .bp-query input");
    if (!query) return;
    event.preventDefault();
    query.focus();
    query.select();
  },
  j: () => move(1),
  k: () => move(-1),
  x: () => pickCursor(false),
  X: () => pickCursor(true),
  "*": () => (starAt = Date.now()),
  a: () => {
    if (Date.now() - starAt < 1500 && $("#selection-form")) pickSend("all");
    starAt = 0;
  },
  "?": () => $("#keys-sheet")?.showModal(),
  Enter: (event) => event.target === document.body && $(".is-cursor a[href]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (isTyping(event.target) && !event.target.matches("[type=checkbox]")) event.target.blur();
    else escape();
    return;
  }
  const isBox = event.target.matches?.("input[type=checkbox]");
  if ((isTyping(event.target) && !isBox) || $("dialog[open]") || keysAreOff()) return;
  KEYS[event.key]?.(event);
});
document.addEventListener("change", (event) => {
  if (!event.target.matches?.("[data-keys-switch]")) return;
  try {
    localStorage.setItem("bp-keys", event.target.checked ? "on" : "off");
  } catch {
    // Without storage the keys stay on.
  }
});

// ---------------------------------------------------------------- start, and after every swap
function settle() {
  tick();
  nameWatch();
  toastsWatch();
  dialogOpen();
  subscribe();
  pageBoxDraw();
  selectionCarry();
  const query = $("[data-query]");
  if ($("#query-note[data-error]")) query?.setAttribute("aria-invalid", "true");
  else query?.removeAttribute("aria-invalid");
}
const keysSwitch = $("[data-keys-switch]");
if (keysSwitch) keysSwitch.checked = !keysAreOff();
document.addEventListener("htmx:afterSettle", settle);
document.addEventListener("htmx:oobAfterSwap", toastsWatch);
settle();
