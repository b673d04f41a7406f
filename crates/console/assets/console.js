// Pages work without this. With it they follow what changes, are worked by keyboard, and their pictures can be saved.

document.documentElement.classList.add("scripted");
const live = document.getElementById("live");

// What changes: the page is asked for anew, and each part that is marked takes the place of the one that is shown.
let asking = false;
let again = false;
async function renew() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-renew": "1" } });
    // Whoever is signed out learns it; where a form led to is asked for as the page that it belongs to.
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const other = fresh.getElementById(part.id);
      // Whoever is within it is not disturbed.
      if (!other || part.contains(document.activeElement) || part.parentElement.closest("[data-live]")) continue;
      if (part.innerHTML === other.innerHTML) continue;
      const open = [...part.querySelectorAll("details")].map((one) => one.open);
      part.replaceChildren(...other.childNodes);
      part.className = other.className;
      part.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? one.open; });
      part.classList.add("fresh");
      setTimeout(() => part.classList.remove("fresh"), 1600);
    }
    pictures();
  } catch { /* The stream tells that nobody answers. */ } finally {
    asking = false;
    if (again) { again = false; renew(); }
  }
}
function follow() {
  const stream = new EventSource("/live");
  const tell = (text, kind) => { live.textContent = text; live.className = `quiet ${kind}`; };
  let begun = false;
  stream.addEventListener("begin", () => { tell("live", "on"); if (begun) renew(); begun = true; });
  stream.addEventListener("changed", () => renew());
  stream.addEventListener("error", () => tell(stream.readyState === EventSource.CLOSED ? "not live: load the page again" : "not live: trying again", "off"));
  addEventListener("pagehide", () => stream.close());
}
// On the page where a password has to be changed first nothing is followed.
if (live && window.EventSource && location.pathname !== "/password") follow();

const here = document.querySelector(".bar [aria-current]");
if (here) here.closest("nav").scrollLeft = here.offsetLeft - 40;

// Fields that belong to one choice only.
for (const form of document.querySelectorAll("form.respond, form.choosing")) {
  const show = () => {
    const chosen = form.querySelector("input[type=radio]:checked")?.value;
    for (const part of form.querySelectorAll(".only")) part.classList.toggle("on", part.dataset.for === chosen);
  };
  form.addEventListener("change", show);
  show();
}

// Pictures, saved as they look now.
function drawn(svg) {
  const copy = svg.cloneNode(true);
  const kept = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "paint-order", "stroke-linejoin"];
  const from = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((node, place) => {
    const style = getComputedStyle(from[place]);
    for (const name of kept) node.setAttribute(name, style.getPropertyValue(name));
    node.removeAttribute("class");
  });
  const { width, height } = svg.viewBox.baseVal;
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", width);
  ground.setAttribute("height", height);
  ground.setAttribute("fill", getComputedStyle(document.documentElement).getPropertyValue("--card").trim() || "white");
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
function savePng({ text, width, height }, name) {
  const picture = new Image();
  picture.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * 2, height * 2];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(blob, name), "image/png");
  };
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
function pictures() {
  for (const figure of document.querySelectorAll("figure")) {
    if (!figure.querySelector("svg") || figure.querySelector(".picture-save")) continue;
    const title = (figure.querySelector("svg title")?.textContent ?? figure.dataset.picture ?? "picture").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60);
    const line = document.createElement("p");
    line.className = "picture-save";
    for (const [label, act] of [
      ["Save as SVG", (svg) => save(new Blob([drawn(svg).text], { type: "image/svg+xml" }), `${title}.svg`)],
      ["Save as PNG", (svg) => savePng(drawn(svg), `${title}.png`)],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = label;
      button.addEventListener("click", () => act([...figure.querySelectorAll("svg")].find((svg) => svg.getClientRects().length > 0)));
      line.append(button);
    }
    figure.append(line);
  }
}
pictures();

// By keyboard.
const pages = { o: "/", c: "/campaigns", l: "/clusters", e: "/exchanges", a: "/accounts", s: "/cases", k: "/keys", r: "/responses", p: "/policies", t: "/audit" };
const help = document.createElement("dialog");
help.setAttribute("aria-label", "Keyboard");
help.innerHTML = `<h2>Keyboard</h2><dl class="facts">
<div><dt>Next and previous row</dt><dd><kbd>j</kbd> <kbd>k</kbd></dd></div><div><dt>Open it</dt><dd><kbd>Enter</kbd></dd></div><div><dt>Choose it</dt><dd><kbd>x</kbd></dd></div><div><dt>Find</dt><dd><kbd>/</kbd></dd></div>
<div><dt>Go to overview, campaigns, clusters, exchanges, accounts, cases, keys, responses, policies, audit trail</dt><dd><kbd>g</kbd> then <kbd>o</kbd> <kbd>c</kbd> <kbd>l</kbd> <kbd>e</kbd> <kbd>a</kbd> <kbd>s</kbd> <kbd>k</kbd> <kbd>r</kbd> <kbd>p</kbd> <kbd>t</kbd></dd></div>
<div><dt>This help</dt><dd><kbd>?</kbd></dd></div></dl><form method="dialog"><button>Close</button></form>`;
document.body.append(help);
const helpButton = document.getElementById("keys-help");
if (helpButton) { helpButton.hidden = false; helpButton.addEventListener("click", () => help.showModal()); }
let going = false;
let at = -1;
function move(step) {
  const rows = [...document.querySelectorAll("tr[data-row]")];
  if (rows.length === 0) return;
  rows[at]?.classList.remove("at");
  at = Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[at].classList.add("at");
  (rows[at].querySelector("a") ?? rows[at]).focus();
  rows[at].scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  const within = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || (within && within.type !== "checkbox")) return;
  if (going) {
    going = false;
    if (pages[event.key]) { event.preventDefault(); location.href = pages[event.key]; }
    return;
  }
  switch (event.key) {
    case "g": going = true; setTimeout(() => { going = false; }, 1500); break;
    case "x": document.querySelectorAll("tr[data-row]")[at]?.querySelector("input[type=checkbox]")?.click(); break;
    case "j": move(1); break;
    case "k": move(-1); break;
    case "/": {
      const find = document.querySelector("[data-find]");
      if (find) { event.preventDefault(); find.focus(); find.select(); }
      break;
    }
    case "?": help.showModal(); break;
    default:
  }
});
