// The graph and its table: what is pointed at in one is lit in the other, and an account is opened by its mark.

const picture = document.getElementById("picture");

function hubs(of) { return (of.dataset.hubs ?? "").split(" ").filter((hub) => hub && hub !== "0"); }

/** Lights what belongs to shared values, or to one account. */
function light(wanted, account) {
  const graph = picture.querySelector("svg.graph");
  if (!graph) return;
  graph.classList.toggle("pointed", wanted.length > 0 || Boolean(account));
  for (const mark of picture.querySelectorAll("[data-hubs]")) {
    const own = hubs(mark).some((hub) => wanted.includes(hub));
    mark.classList.toggle("lit", account && mark.matches(".dot") ? mark.dataset.account === account : own);
  }
}

for (const kind of ["pointerover", "focusin"]) {
  picture.addEventListener(kind, (event) => {
    const account = event.target.closest("[data-account]");
    const mark = event.target.closest("[data-hubs]");
    if (account) light(hubs(account.matches(".dot") ? account : mark ?? account), account.dataset.account);
    else light(mark ? hubs(mark) : []);
  });
}
picture.addEventListener("pointerleave", () => light([]));
picture.addEventListener("click", (event) => {
  const dot = event.target.closest(".dot[data-account]");
  if (dot) location.assign(`/accounts/${encodeURIComponent(dot.dataset.account)}`);
});
