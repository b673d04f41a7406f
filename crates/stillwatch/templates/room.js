// Tells when something arrived. Where nobody has begun to answer, the page is shown anew by itself.
const body = document.body;
let touched = false;
document.addEventListener("input", () => { touched = true; });
const look = async () => {
  let state;
  try {
    const response = await fetch(body.dataset.changes);
    if (!response.ok) return;
    state = await response.text();
  } catch {
    return;
  }
  if (state === body.dataset.state) return;
  if (!touched) {
    location.reload();
    return;
  }
  const link = document.createElement("a");
  link.href = "";
  link.textContent = "Something has arrived: show it";
  document.getElementById("news").replaceChildren(link);
};
setInterval(look, 2000);

// The clock goes on between two changes.
const clock = document.getElementById("clock");
const began = Date.now() - Number(body.dataset.seconds) * 1000;
if (clock) {
  setInterval(() => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }, 1000);
}
